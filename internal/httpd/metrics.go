package httpd

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics answers with what a Prometheus server reads, to this machine alone unless it is public.
func (s *Server) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, value func() int) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) }))
	}
	counter := func(name, help string, value func() uint64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) }))
	}
	gauge("starling_tracker_peers", "Peers in all swarms together.", func() int { return s.store.Stats().Peers })
	gauge("starling_tracker_swarms", "Swarms with at least one peer.", func() int { return s.store.Stats().Swarms })
	gauge("starling_tracker_offers_outstanding", "Offers that were passed on and may still be answered.", func() int { return s.store.Stats().Offers })
	gauge("starling_tracker_sockets", "Open WebSockets.", func() int { return s.tracker.Stats().Sockets })
	counter("starling_tracker_messages_total", "Messages received.", func() uint64 { return s.tracker.Stats().Messages })
	counter("starling_tracker_malformed_total", "Messages received that were not JSON.", func() uint64 { return s.tracker.Stats().Malformed })
	counter("starling_tracker_offers_total", "Offers passed on.", func() uint64 { return s.tracker.Stats().Offers })
	counter("starling_tracker_answers_total", "Answers passed on.", func() uint64 { return s.tracker.Stats().Answers })
	counter("starling_tracker_offers_dropped_total", "Offers dropped because their receiver was too slow.", func() uint64 { return s.tracker.Stats().Dropped })
	counter("starling_tracker_refused_total", "Connections refused because their address had too many.", func() uint64 { return s.tracker.Stats().Refused })
	counter("starling_tracker_slow_total", "Connections closed because they did not receive.", func() uint64 { return s.tracker.Stats().Slow })

	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return get(func(w http.ResponseWriter, r *http.Request) {
		if !s.config.MetricsPublic && !local(r) {
			http.Error(w, "Metrics are shown on this machine only; --metrics-public shows them to everybody.", http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, r)
	})
}
