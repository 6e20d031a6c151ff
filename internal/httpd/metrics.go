package httpd

import (
	"net/http"
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/starling-p2p/starling/cluster"
	"github.com/starling-p2p/starling/relay"
	"github.com/starling-p2p/starling/tracker"
	trackerhttp "github.com/starling-p2p/starling/tracker/http"
	"github.com/starling-p2p/starling/tracker/udp"
	"github.com/starling-p2p/starling/tracker/ws"
)

// metrics answers with what a Prometheus server reads, to this machine alone unless it is public.
func (s *Server) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	pauses := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/sched/pauses/total/gc:seconds$`)}
	registry.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(pauses)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	trackerMetrics(registry, s.trackers)
	if s.relay != nil {
		relayMetrics(registry, s.relay)
	}
	if t := s.trackers.together; t != nil {
		clusterMetrics(registry, t)
	}

	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return get(func(w http.ResponseWriter, r *http.Request) {
		if !s.shown(w, r, "Metrics") {
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// figure is one of those that somebody's Stats have.
type figure[S any, N int | uint64] struct {
	name, help string
	value      func(S) N
	labels     prometheus.Labels
}

// gauges registers figures that go up and down. They are read when somebody asks.
func gauges[S any](r *prometheus.Registry, stats func() S, all []figure[S, int]) {
	for _, f := range all {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: f.name, Help: f.help, ConstLabels: f.labels},
			func() float64 { return float64(f.value(stats())) }))
	}
}

// counters registers figures that only go up.
func counters[S any](r *prometheus.Registry, stats func() S, all []figure[S, uint64]) {
	for _, f := range all {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: f.name, Help: f.help, ConstLabels: f.labels},
			func() float64 { return float64(f.value(stats())) }))
	}
}

func trackerMetrics(r *prometheus.Registry, t *trackers) {
	gauges(r, t.store.Stats, []figure[tracker.Stats, int]{
		{name: "starling_tracker_peers", help: "Peers in all swarms together.", value: func(n tracker.Stats) int { return n.Peers }},
		{name: "starling_tracker_tcp_peers", help: "Peers that announced by HTTP or UDP.", value: func(n tracker.Stats) int { return n.IPv4 + n.IPv6 }},
		{name: "starling_tracker_swarms", help: "Swarms with at least one peer.", value: func(n tracker.Stats) int { return n.Swarms }},
		{name: "starling_tracker_offers_outstanding", help: "Offers that were passed on and may still be answered.", value: func(n tracker.Stats) int { return n.Offers }},
	})
	gauges(r, t.sockets.Stats, []figure[ws.Stats, int]{
		{name: "starling_tracker_sockets", help: "Open WebSockets.", value: func(n ws.Stats) int { return n.Sockets }},
	})
	counters(r, t.sockets.Stats, []figure[ws.Stats, uint64]{
		{name: "starling_tracker_messages_total", help: "Messages received.", value: func(n ws.Stats) uint64 { return n.Messages }},
		{name: "starling_tracker_malformed_total", help: "Messages received that were not JSON.", value: func(n ws.Stats) uint64 { return n.Malformed }},
		{name: "starling_tracker_offers_total", help: "Offers passed on.", value: func(n ws.Stats) uint64 { return n.Offers }},
		{name: "starling_tracker_answers_total", help: "Answers passed on.", value: func(n ws.Stats) uint64 { return n.Answers }},
		{name: "starling_tracker_offers_dropped_total", help: "Offers dropped because their receiver was too slow.", value: func(n ws.Stats) uint64 { return n.Dropped }},
		{name: "starling_tracker_refused_total", help: "Connections refused because their address had too many.", value: func(n ws.Stats) uint64 { return n.Refused }},
		{name: "starling_tracker_slow_total", help: "Connections closed because they did not receive.", value: func(n ws.Stats) uint64 { return n.Slow }},
	})
	counters(r, t.http.Stats, []figure[trackerhttp.Stats, uint64]{
		{name: "starling_tracker_http_announces_total", help: "Announces by HTTP.", value: func(n trackerhttp.Stats) uint64 { return n.Announces }},
		{name: "starling_tracker_http_scrapes_total", help: "Scrapes by HTTP.", value: func(n trackerhttp.Stats) uint64 { return n.Scrapes }},
		{name: "starling_tracker_http_failures_total", help: "Announces and scrapes by HTTP that were answered with a failure.", value: func(n trackerhttp.Stats) uint64 { return n.Failures }},
		{name: "starling_tracker_http_refused_total", help: "Requests by HTTP that came too often.", value: func(n trackerhttp.Stats) uint64 { return n.Refused }},
	})
	counters(r, t.udp.Stats, []figure[udp.Stats, uint64]{
		{name: "starling_tracker_udp_connects_total", help: "Connection ids given out by UDP.", value: func(n udp.Stats) uint64 { return n.Connects }},
		{name: "starling_tracker_udp_announces_total", help: "Announces by UDP.", value: func(n udp.Stats) uint64 { return n.Announces }},
		{name: "starling_tracker_udp_scrapes_total", help: "Scrapes by UDP.", value: func(n udp.Stats) uint64 { return n.Scrapes }},
		{name: "starling_tracker_udp_failures_total", help: "Announces by UDP that were answered with a failure.", value: func(n udp.Stats) uint64 { return n.Failures }},
		{name: "starling_tracker_udp_refused_total", help: "Packets that came too often and got no answer.", value: func(n udp.Stats) uint64 { return n.Refused }},
		{name: "starling_tracker_udp_forged_total", help: "Packets without a connection id that holds.", value: func(n udp.Stats) uint64 { return n.Forged }},
	})
}

func relayMetrics(r *prometheus.Registry, relayed *relay.Relay) {
	gauges(r, relayed.Stats, []figure[relay.Stats, int]{
		{name: "starling_relay_allocations", help: "Allocations of TURN clients.", value: func(n relay.Stats) int { return n.Allocations }},
		{name: "starling_relay_streams", help: "Connections of TURN clients by TCP and TLS.", value: func(n relay.Stats) int { return n.Streams }},
	})
	labelled := func(name, help, label string, of map[string]func(relay.Stats) uint64) {
		for is, value := range of {
			counters(r, relayed.Stats, []figure[relay.Stats, uint64]{{name, help, value, prometheus.Labels{label: is}}})
		}
	}
	labelled("starling_relay_bytes_total", "Bytes of payload that were relayed.", "to", map[string]func(relay.Stats) uint64{
		"peers":   func(n relay.Stats) uint64 { return n.ToPeers },
		"clients": func(n relay.Stats) uint64 { return n.ToClients },
	})
	labelled("starling_relay_refused_total", "Requests, datagrams and connections that were refused.", "cause", map[string]func(relay.Stats) uint64{
		"credentials": func(n relay.Stats) uint64 { return n.Refused.Credentials },
		"quota":       func(n relay.Stats) uint64 { return n.Refused.Quota },
		"peer":        func(n relay.Stats) uint64 { return n.Refused.Peer },
		"rate":        func(n relay.Stats) uint64 { return n.Refused.Rate },
		"flood":       func(n relay.Stats) uint64 { return n.Refused.Flood },
		"malformed":   func(n relay.Stats) uint64 { return n.Refused.Malformed },
	})
}

func clusterMetrics(r *prometheus.Registry, t *together) {
	gauges(r, t.node.Stats, []figure[cluster.Stats, int]{
		{name: "starling_cluster_nodes", help: "Servers of the cluster that are there, with this one.", value: func(n cluster.Stats) int { return n.Nodes }},
		{name: "starling_cluster_connected", help: "1 while the bus is connected.", value: func(n cluster.Stats) int {
			if n.Connected {
				return 1
			}
			return 0
		}},
		{name: "starling_cluster_requests_open", help: "Questions to other servers that have no answer yet.", value: func(n cluster.Stats) int { return n.Open }},
		{name: "starling_cluster_offers_outstanding", help: "Offers for sockets of this server that may still be answered.", value: func(n cluster.Stats) int { return n.Outstanding }},
	})
	counters(r, t.node.Stats, []figure[cluster.Stats, uint64]{
		{name: "starling_cluster_requests_total", help: "Questions to other servers: announces and scrapes of swarms that they look after.", value: func(n cluster.Stats) uint64 { return n.Asks }},
		{name: "starling_cluster_timeouts_total", help: "Questions that were not answered in time; clients got what this server knew.", value: func(n cluster.Stats) uint64 { return n.Late }},
		{name: "starling_cluster_overflow_total", help: "Questions that were not asked because too many were open.", value: func(n cluster.Stats) uint64 { return n.Overflow }},
		{name: "starling_cluster_lost_total", help: "Messages that could not be sent.", value: func(n cluster.Stats) uint64 { return n.Lost }},
		{name: "starling_cluster_unknown_total", help: "Messages of another version.", value: func(n cluster.Stats) uint64 { return n.Unknown }},
		{name: "starling_cluster_malformed_total", help: "Messages that made no sense.", value: func(n cluster.Stats) uint64 { return n.Malformed }},
		{name: "starling_cluster_offers_total", help: "Offers passed on to sockets of other servers.", value: func(n cluster.Stats) uint64 { return n.Offers }},
		{name: "starling_cluster_answers_total", help: "Answers passed on to sockets of other servers.", value: func(n cluster.Stats) uint64 { return n.Answers }},
		{name: "starling_cluster_handed_total", help: "Peers handed over to servers that look after their swarms now.", value: func(n cluster.Stats) uint64 { return n.Handed }},
		{name: "starling_cluster_batches_total", help: "Messages sent to other servers.", value: func(n cluster.Stats) uint64 { return n.Batches }},
		{name: "starling_cluster_bytes_total", help: "Bytes of those.", value: func(n cluster.Stats) uint64 { return n.Bytes }},
	})
	counters(r, t.bus.Errors, []figure[uint64, uint64]{
		{name: "starling_cluster_bus_errors_total", help: "What went wrong on the bus, outsiders who were refused among it.", value: func(n uint64) uint64 { return n }},
	})
}
