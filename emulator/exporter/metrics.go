package exporter

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/phone-edition/lpe/emulator/report"
)

// metrics are those of the exporter itself.
type metrics struct {
	registry *prometheus.Registry
	probes   *prometheus.CounterVec
	running  prometheus.Gauge
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		probes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lpe_exporter_probes_total", Help: "Probes by what came of them: success, failure, repeated (the last result), held_back or error.",
		}, []string{"module", "outcome"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "lpe_exporter_running_boots", Help: "Boots that run now."}),
	}
	m.registry.MustRegister(
		m.probes, m.running, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// codeOfSuccess stands for the code that a success does not have.
const codeOfSuccess = "none"

// registry is what a probe tells.
func (o outcome) registry(now time.Time) *prometheus.Registry {
	r := prometheus.NewRegistry()
	gauge := func(name, help string, value float64) {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		g.Set(value)
		r.MustRegister(g)
	}
	result := o.result
	gauge("lpe_probe_success", "Whether the handset signed in.", is(result.Result == report.Success))
	gauge("lpe_probe_held_back", "Whether the PIN was not sent because the pool has refused it, until its file changes.", is(o.held))
	code := result.Code
	if code == "" {
		code = codeOfSuccess
	}
	stage, _, _ := strings.Cut(code, ".")
	labelled(r, "lpe_probe_last_code", "The code of the last failure and its stage, none after a success; always 1.",
		prometheus.Labels{"code": code, "stage": stage}, 1)
	if o.began.IsZero() {
		return r
	}
	gauge("lpe_probe_duration_seconds", "How long the last boot took, to Ready or to its failure.", time.Duration(result.Latency).Seconds())
	gauge("lpe_probe_age_seconds", "How long ago the last boot began.", now.Sub(o.began).Seconds())
	if c := result.Certificate; c != nil {
		gauge("lpe_probe_certificate_not_after_timestamp_seconds", "When the handset's certificate ends.", float64(c.NotAfter.Unix()))
	}
	warnings := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "lpe_probe_warnings", Help: "What was wrong and did not stop the last boot, by code.",
	}, []string{"code"})
	for _, w := range result.Warnings {
		warnings.WithLabelValues(w.Code).Inc()
	}
	r.MustRegister(warnings, o.stages)
	return r
}

func labelled(r *prometheus.Registry, name, help string, labels prometheus.Labels, value float64) {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels})
	g.Set(value)
	r.MustRegister(g)
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
