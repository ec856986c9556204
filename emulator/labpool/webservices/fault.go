package webservices

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// The kinds of fault that a stage (chain, ticket, enroll) or web, which is all three, can have.
const (
	kindRefused = "refused" // port not listening; for enroll from the ticket on
	kindReset   = "reset"
	kindTimeout = "timeout" // the request is taken and never answered
	kindSlow    = "slow"
	kind500     = "http-500"
	kind404     = "http-404"
	kindGarbage = "garbage"

	kindRedirect = "redirect" // from http to https, or the other way round

	kindTLSVersion = "tls-version" // of web alone: TLS 1.2 and later
	faultNoRoot    = "chain=empty"
)

// slowness is how late an answer is under a fault "slow" without a duration.
const slowness = 3 * time.Second

// strikes reports whether a fault of the stage, or of web, strikes now.
func (s *Server) strikes(stage, kind string) bool {
	_, ok := s.cfg.Faults.On(stage + "=" + kind)
	if !ok {
		_, ok = s.cfg.Faults.On("web=" + kind)
	}
	return ok
}

// listed is strikes without using up one of the fault's times.
func (s *Server) listed(stage, kind string) bool {
	return s.cfg.Faults.Has(stage+"="+kind) || s.cfg.Faults.Has("web="+kind)
}

// spoil does to a request what the active faults of its stage say. struck is the kind if that was its end; a slow
// answer is not.
func (s *Server) spoil(w http.ResponseWriter, r *http.Request, stage string) (struck string) {
	if stage == "enroll" && s.listed(stage, kindRefused) {
		reset(r)
		return kindRefused
	}
	if s.strikes(stage, kindReset) {
		reset(r)
		return kindReset
	}
	if s.strikes(stage, kindTimeout) {
		io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody)) // so that the end of the connection is seen
		<-r.Context().Done()
		return kindTimeout
	}
	s.delay(r.Context(), stage)
	switch {
	case s.strikes(stage, kind500):
		write(w, plain(http.StatusInternalServerError))
		return kind500
	case s.strikes(stage, kind404):
		write(w, plain(http.StatusNotFound))
		return kind404
	case s.strikes(stage, kindRedirect):
		s.redirect(w, r)
		return kindRedirect
	case s.strikes(stage, kindGarbage):
		write(w, response{status: http.StatusOK, contentType: typeXML, body: []byte("<s:Envelope><s:Body></s:Envelope")})
		return kindGarbage
	}
	return ""
}

// redirect sends the handset to the other port.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request) {
	to := "https://" + s.safe
	if r.TLS != nil {
		to = "http://" + s.plain
	}
	answer := plain(http.StatusFound)
	answer.header = http.Header{"Location": {to + r.URL.EscapedPath()}}
	write(w, answer)
}

func (s *Server) delay(ctx context.Context, stage string) {
	param, ok := s.cfg.Faults.On(stage + "=" + kindSlow)
	if !ok {
		if param, ok = s.cfg.Faults.On("web=" + kindSlow); !ok {
			return
		}
	}
	wait := param.Duration
	if wait == 0 {
		wait = slowness
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// reset ends the connection of the request by a TCP reset, or by closing it where the cable knows no reset.
func reset(r *http.Request) {
	conn := connectionOf(r).Conn
	if resetter, ok := conn.(ethernet.Resetter); ok {
		err := resetter.Reset()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return
		}
	}
	conn.Close()
}
