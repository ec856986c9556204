package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// scrapeMargin is left of a scrape's time for the sign-off and the answer on the way.
	scrapeMargin = 1500 * time.Millisecond
	maxScrape    = 10 * time.Minute
	headerTime   = 10 * time.Second
	maxHeader    = 16 << 10
	endTime      = 5 * time.Second
)

// Handler answers /probe?module=…&target=…, /metrics and /.
func (e *Exporter) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /probe", e.serveProbe)
	mux.Handle("GET /metrics", promhttp.HandlerFor(e.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "/probe?module=MODULE&target=FQDN boots a handset, /metrics tells of this program.\n") // who is gone reads nothing
	})
	return mux
}

func (e *Exporter) serveProbe(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	m, target, err := e.asked(query["module"], query["target"])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	limit, err := scrapeTime(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	select {
	case e.waiting <- struct{}{}:
		defer func() { <-e.waiting }()
	default:
		http.Error(w, "too many requests wait", http.StatusServiceUnavailable)
		return
	}
	outcome, err := e.probe(ctx, m, target)
	switch {
	case errors.Is(err, errBusy):
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(m.MinimumInterval.Seconds()))))
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case err != nil:
		e.options.Log.Sugar().Errorf("probe of module %s: %v", m.Name, err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		promhttp.HandlerFor(outcome.registry(time.Now()), promhttp.HandlerOpts{}).ServeHTTP(w, r)
	}
}

// asked finds the module and the target that a request names.
func (e *Exporter) asked(modules, targets []string) (*module, string, error) {
	if len(modules) != 1 || len(targets) > 1 {
		return nil, "", errors.New("one module and at most one target expected, as in /probe?module=pool&target=pool.contoso.com")
	}
	m := e.modules[modules[0]]
	if m == nil {
		return nil, "", fmt.Errorf("there is no module %.64q", modules[0])
	}
	name := ""
	if len(targets) == 1 {
		name = targets[0]
	}
	target, err := m.target(name)
	return m, target, err
}

// scrapeTime is what Prometheus leaves for an answer; without its header it is as long as a boot may take.
func scrapeTime(header string) (time.Duration, error) {
	if header == "" {
		return maxScrape, nil
	}
	s, err := strconv.ParseFloat(header, 64)
	if err != nil || math.IsNaN(s) || s <= 0 {
		return 0, errors.New("X-Prometheus-Scrape-Timeout-Seconds is no number of seconds")
	}
	limit := time.Duration(min(s, maxScrape.Seconds())*float64(time.Second)) - scrapeMargin
	if limit < least {
		return 0, fmt.Errorf("a scrape timeout of %v is too short for a boot, %v at least", header, least+scrapeMargin)
	}
	return limit, nil
}

// Serve answers on the listener until ctx ends; boots that run then end and sign off. It closes the exporter.
func (e *Exporter) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: e.Handler(), ReadHeaderTimeout: headerTime, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	e.Close()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	err := server.Shutdown(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-ended
	return err
}
