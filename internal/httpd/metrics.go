package httpd

import (
	"net/http"
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics answers with what a Prometheus server reads, to this machine alone unless it is public.
func (s *Server) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	pauses := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/sched/pauses/total/gc:seconds$`)}
	registry.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(pauses)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, value func() int) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) }))
	}
	counter := func(name, help string, value func() uint64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) }))
	}
	gauge("starling_tracker_peers", "Peers in all swarms together.", func() int { return s.trackers.store.Stats().Peers })
	gauge("starling_tracker_swarms", "Swarms with at least one peer.", func() int { return s.trackers.store.Stats().Swarms })
	gauge("starling_tracker_offers_outstanding", "Offers that were passed on and may still be answered.", func() int { return s.trackers.store.Stats().Offers })
	gauge("starling_tracker_sockets", "Open WebSockets.", func() int { return s.trackers.sockets.Stats().Sockets })
	counter("starling_tracker_messages_total", "Messages received.", func() uint64 { return s.trackers.sockets.Stats().Messages })
	counter("starling_tracker_malformed_total", "Messages received that were not JSON.", func() uint64 { return s.trackers.sockets.Stats().Malformed })
	counter("starling_tracker_offers_total", "Offers passed on.", func() uint64 { return s.trackers.sockets.Stats().Offers })
	counter("starling_tracker_answers_total", "Answers passed on.", func() uint64 { return s.trackers.sockets.Stats().Answers })
	counter("starling_tracker_offers_dropped_total", "Offers dropped because their receiver was too slow.", func() uint64 { return s.trackers.sockets.Stats().Dropped })
	counter("starling_tracker_refused_total", "Connections refused because their address had too many.", func() uint64 { return s.trackers.sockets.Stats().Refused })
	counter("starling_tracker_slow_total", "Connections closed because they did not receive.", func() uint64 { return s.trackers.sockets.Stats().Slow })
	gauge("starling_tracker_tcp_peers", "Peers that announced by HTTP or UDP.", func() int { n := s.trackers.store.Stats(); return n.IPv4 + n.IPv6 })
	counter("starling_tracker_http_announces_total", "Announces by HTTP.", func() uint64 { return s.trackers.http.Stats().Announces })
	counter("starling_tracker_http_scrapes_total", "Scrapes by HTTP.", func() uint64 { return s.trackers.http.Stats().Scrapes })
	counter("starling_tracker_http_failures_total", "Announces and scrapes by HTTP that were answered with a failure.", func() uint64 { return s.trackers.http.Stats().Failures })
	counter("starling_tracker_http_refused_total", "Requests by HTTP that came too often.", func() uint64 { return s.trackers.http.Stats().Refused })
	counter("starling_tracker_udp_connects_total", "Connection ids given out by UDP.", func() uint64 { return s.trackers.udp.Stats().Connects })
	counter("starling_tracker_udp_announces_total", "Announces by UDP.", func() uint64 { return s.trackers.udp.Stats().Announces })
	counter("starling_tracker_udp_scrapes_total", "Scrapes by UDP.", func() uint64 { return s.trackers.udp.Stats().Scrapes })
	counter("starling_tracker_udp_failures_total", "Announces by UDP that were answered with a failure.", func() uint64 { return s.trackers.udp.Stats().Failures })
	counter("starling_tracker_udp_refused_total", "Packets that came too often and got no answer.", func() uint64 { return s.trackers.udp.Stats().Refused })
	counter("starling_tracker_udp_forged_total", "Packets without a connection id that holds.", func() uint64 { return s.trackers.udp.Stats().Forged })
	s.relayMetrics(registry)
	s.clusterMetrics(registry)

	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return get(func(w http.ResponseWriter, r *http.Request) {
		if !s.shown(w, r, "Metrics") {
			return
		}
		handler.ServeHTTP(w, r)
	})
}
