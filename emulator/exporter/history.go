package exporter

import (
	"cmp"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
)

type historyKey struct{ module, target string }

// history is what boots of one module against one target gave. Their number is that of modules and targets.
type history struct {
	stages *prometheus.HistogramVec

	mu   sync.Mutex
	last *outcome // nil: there was no boot yet
}

// outcome is what a probe tells.
type outcome struct {
	result report.Result
	began  time.Time // the zero time: there was no boot
	held   bool      // the PIN was not sent, because it has been refused
	stages *prometheus.HistogramVec
}

// buckets are seconds: a lab's boot takes 1.4 s, of which ARP probes are 1 s; a pool that hangs costs 8 s an answer and
// 10 s before the second try.
var buckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60}

func (e *Exporter) history(m *module, target string) *history {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := historyKey{m.Name, target}
	h := e.histories[key]
	if h == nil {
		h = &history{stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lpe_probe_stage_duration_seconds", Help: "How long boots were in a stage.", Buckets: buckets,
		}, []string{"stage"})}
		e.histories[key] = h
	}
	return h
}

// add takes the result of a boot.
func (h *history) add(r report.Result, began time.Time) outcome {
	for _, s := range r.StageTimes() {
		h.stages.WithLabelValues(string(s.Stage)).Observe(s.Time.Seconds())
	}
	o := outcome{result: r, began: began, stages: h.stages}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = &o
	return o
}

// recent returns the last result if it is younger than interval.
func (h *history) recent(interval time.Duration) (outcome, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil || time.Since(h.last.began) >= interval {
		return outcome{}, false
	}
	return *h.last, true
}

// heldBack tells that the user's PIN has been refused with that code.
func (h *history) heldBack(code devicestate.Code) outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := outcome{stages: h.stages}
	if h.last != nil {
		o = *h.last
	}
	o.held = true
	o.result.Result, o.result.Code = report.Failure, cmp.Or(string(code), o.result.Code)
	return o
}
