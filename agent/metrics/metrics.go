// Package metrics has the numbers of an agent for Prometheus. No label has a value that a container
// can choose.
package metrics

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

// scrapeLimit is how many scrapes are answered at the same time.
const scrapeLimit = 4

// NewRegistry returns a registry with the numbers of an agent, of Go's runtime and of the process.
// It must be called before the process confines itself.
func NewRegistry(stats func() agent.Stats, version string) (*prometheus.Registry, error) {
	process, err := newProcessCollector()
	if err != nil {
		return nil, err
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "port_restricter_build_info",
		Help: "The version of the agent, as a label of the number 1.",
	}, []string{"version"})
	build.WithLabelValues(strings.ToValidUTF8(version, "?")).Set(1)
	registry := prometheus.NewRegistry()
	for _, collector := range []prometheus.Collector{
		collector{stats}, build, process, collectors.NewGoCollector(),
	} {
		if err := registry.Register(collector); err != nil {
			return nil, err
		}
	}
	return registry, nil
}

// Handler answers scrapes.
func Handler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: scrapeLimit,
		ErrorHandling:       promhttp.ContinueOnError, // part of the numbers is better than none
		DisableCompression:  true,                     // its reader is on this machine
	})
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("port_restricter_"+name, help, labels, nil)
}

var (
	decisions = describe("decisions_total",
		"Decisions about a bind, a listen, or a socket option that binds.",
		"operation", "protocol", "decision", "namespace")
	duration = describe("decision_duration_seconds",
		"How long calls took from the notification to the answer.")
	containers     = describe("containers", "Containers that are held to their ports.")
	sessions       = describe("sessions", "Notify fds that are served: of containers and of execs.")
	attachFailures = describe("attach_failures_total",
		"Containers that were not attached, or that have no valid policy and may bind nothing.",
		"reason")
	helpers = describe("helpers_total",
		"Helper processes, which make a call with the identity of the container.", "result")
	skipped = describe("log_skipped_total",
		"Refusals without a line of their own in the log.")
	unprotected = describe("unprotected_sessions",
		"Sessions that would lose their ports with the agent, since systemd does not keep them.")
)

// A collector tells an agent's numbers.
type collector struct{ stats func() agent.Stats }

func (collector) Describe(out chan<- *prometheus.Desc) {
	for _, one := range []*prometheus.Desc{
		decisions, duration, containers, sessions, attachFailures, helpers, skipped, unprotected,
	} {
		out <- one
	}
}

func (c collector) Collect(out chan<- prometheus.Metric) {
	stats := c.stats()
	number := func(
		one *prometheus.Desc, kind prometheus.ValueType, n uint64, labels ...string,
	) {
		out <- prometheus.MustNewConstMetric(one, kind, float64(n), labels...)
	}
	number(containers, prometheus.GaugeValue, uint64(stats.Containers))
	number(sessions, prometheus.GaugeValue, uint64(stats.Sessions))
	number(unprotected, prometheus.GaugeValue, uint64(stats.Unprotected))
	number(skipped, prometheus.CounterValue, stats.LogSkipped)
	for reason, n := range stats.AttachFailures {
		number(attachFailures, prometheus.CounterValue, n, reason)
	}
	for result, n := range stats.Helpers {
		number(helpers, prometheus.CounterValue, n, result)
	}
	for labels, n := range counts(stats.Decisions) {
		number(decisions, prometheus.CounterValue, n, labels[:]...)
	}
	cumulated, buckets := uint64(0), map[float64]uint64{}
	for i, n := range stats.Durations {
		cumulated += n
		if i < len(agent.DurationBounds) {
			buckets[agent.DurationBounds[i].Seconds()] = cumulated
		}
	}
	out <- prometheus.MustNewConstHistogram(
		duration, cumulated, stats.DurationSum.Seconds(), buckets)
}

// counts returns the decisions by the values of their labels, which Prometheus takes in UTF-8 only.
func counts(all []agent.DecisionCount) map[[4]string]uint64 {
	counts := map[[4]string]uint64{}
	for _, one := range all {
		namespace := strings.ToValidUTF8(inquiry.Printable(one.Namespace), "?")
		counts[[4]string{one.Operation, one.Protocol, one.Decision, namespace}] += one.Count
	}
	return counts
}
