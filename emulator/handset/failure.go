package handset

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/phone-edition/lpe/devicestate"
)

// Failure says in which stage the handset met which peer, what it saw, and under which code that is known.
type Failure struct {
	Code devicestate.Code
	Peer string // name and address, "" if there was none
	Seen string // one line
	Err  error  // the cause, may be nil
}

func (f *Failure) Error() string {
	text := string(f.Code)
	if f.Peer != "" {
		text += ": " + f.Peer
	}
	text += ": " + f.Seen
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

func (f *Failure) Unwrap() error { return f.Err }

// Detail is what was seen, with its cause.
func (f *Failure) Detail() string {
	text := f.Seen
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	if f.Peer != "" {
		text = f.Peer + ": " + text
	}
	return text
}

func fail(stage devicestate.Stage, kind, peer, seen string, err error) *Failure {
	return &Failure{Code: devicestate.NewCode(stage, kind), Peer: peer, Seen: seen, Err: err}
}

// internal is a failure of this program, not of what it tests.
func internal(doing string, err error) *Failure {
	return &Failure{Code: devicestate.CodeInternal, Seen: doing, Err: err}
}

// connectionFailure classifies an error of dialling, reading or writing.
func connectionFailure(stage devicestate.Stage, peer, doing string, err error) *Failure {
	kind, seen := "reset", "the connection was closed while "+doing
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		kind, seen = "refused", "the connection was refused while "+doing
		if stage == devicestate.StageTicket {
			kind = "connection-refused"
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		kind, seen = "timeout", "no answer while "+doing
	case errors.Is(err, syscall.EHOSTUNREACH):
		kind, seen = "timeout", "no such host on the network while "+doing
	case errors.Is(err, syscall.ENETUNREACH):
		kind, seen = "timeout", "no route to the network while "+doing
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
	default:
		kind, seen = "garbage", "the answer was not understood while "+doing
	}
	return fail(stage, kind, peer, seen, err)
}

const protocolVersion = tls.AlertError(70) // RFC 5246 §7.2

// alertOf is the alert with which the server ended the handshake, nil if it sent none. crypto/tls names the type of an
// alert over TCP nowhere, but its text is that of the [tls.AlertError].
func alertOf(err error) error {
	var remote *net.OpError
	if errors.As(err, &remote) && remote.Op == "remote error" {
		return remote.Err
	}
	return nil
}

// tlsFailure classifies an error of a TLS handshake.
func tlsFailure(stage devicestate.Stage, peer string, err error) *Failure {
	var untrusted *CertificateError
	if errors.As(err, &untrusted) {
		return fail(stage, untrusted.Kind, peer, "the server's certificate is not accepted", untrusted)
	}
	if alert := alertOf(err); alert != nil {
		if alert.Error() == protocolVersion.Error() {
			return fail(stage, "tls-version", peer, "the server does not speak the handset's TLS version", err)
		}
		return fail(stage, "tls-failed", peer, "the server ended the TLS handshake", err)
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return fail(stage, "garbage", peer, "the server does not speak TLS", nil)
	}
	f := connectionFailure(stage, peer, "the TLS handshake", err)
	if f.Code == devicestate.NewCode(stage, "garbage") {
		f.Code, f.Seen = devicestate.NewCode(stage, "tls-failed"), "the TLS handshake failed"
	}
	return f
}
