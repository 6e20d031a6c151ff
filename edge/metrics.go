package edge

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the same for Prometheus.
func (e *Edge) metrics() http.HandlerFunc {
	registry := prometheus.NewRegistry()
	registry.MustRegister(e.Collector())
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP
}

// Collector is for a Prometheus registry of one's own.
func (e *Edge) Collector() prometheus.Collector { return collector{e} }

type collector struct{ edge *Edge }

var (
	bytesDesc    = prometheus.NewDesc("starling_edge_bytes_total", "Bytes of assets: served here (measured); from peers, over http, kept from before and sent to peers (as visitors say, which cannot be proved).", []string{"from"}, nil)
	causesDesc   = prometheus.NewDesc("starling_edge_http_fallbacks_total", "Assets and pieces that visitors say came over HTTP, by cause.", []string{"cause"}, nil)
	liarsDesc    = prometheus.NewDesc("starling_edge_liars_total", "Peers that visitors say they banned.", nil, nil)
	stallsDesc   = prometheus.NewDesc("starling_edge_stalls_total", "Times that visitors say a video waited.", nil, nil)
	beaconsDesc  = prometheus.NewDesc("starling_edge_beacons_total", "Beacons.", []string{"result"}, nil)
	visitorsDesc = prometheus.NewDesc("starling_edge_visitors", "Visitors in all swarms together, as the tracker knows them.", nil, nil)
	assetsDesc   = prometheus.NewDesc("starling_edge_assets", "Assets in the current version.", nil, nil)
)

func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{bytesDesc, causesDesc, liarsDesc, stallsDesc, beaconsDesc, visitorsDesc, assetsDesc} {
		out <- d
	}
}

func (c collector) Collect(out chan<- prometheus.Metric) {
	e := c.edge
	e.stats.mu.Lock()
	e.stats.count(&bucket{})
	t := e.stats.figures.Total
	e.stats.mu.Unlock()
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for from, n := range map[string]int64{"served": t.Served, "peers": t.Peers, "http": t.HTTP, "kept": t.Kept, "sent": t.Sent} {
		counter(bytesDesc, n, from)
	}
	for i, cause := range causes {
		counter(causesDesc, t.Causes[i], cause)
	}
	counter(liarsDesc, t.Liars)
	counter(stallsDesc, t.Stalls)
	counter(beaconsDesc, e.stats.beacons.Load(), "taken")
	counter(beaconsDesc, e.stats.refused.Load(), "refused")
	out <- prometheus.MustNewConstMetric(visitorsDesc, prometheus.GaugeValue, float64(e.swarms.Stats().Peers))
	out <- prometheus.MustNewConstMetric(assetsDesc, prometheus.GaugeValue, float64(len(e.library.version.Load().places)))
}
