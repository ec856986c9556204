package tlsdsk

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// MaxFlight bounds one flight in bytes.
const MaxFlight = 24 << 10

// Errors of a handshake.
var (
	ErrFlightTooLarge = fmt.Errorf("TLS-DSK flight exceeds %d bytes", MaxFlight)
	ErrClosed         = errors.New("TLS-DSK handshake is closed")
	ErrNotDone        = errors.New("TLS-DSK handshake is not done")
)

// Handshake is one side of the TLS handshake that is carried in gssapi-data: crypto/tls driven in memory, a flight a
// call. No application data is ever exchanged; only the keys matter.
type Handshake struct {
	conn    *tls.Conn
	pipe    *memoryConn
	server  bool
	started bool
	done    bool
	err     error
	result  chan error
	cancel  context.CancelFunc
	log     keyLog

	serverHello []byte // plaintext records until the server random is known
	random      []byte
}

// NewClient prepares the handset's side. cfg is cloned.
func NewClient(cfg *tls.Config) *Handshake { return prepare(cfg, false) }

// NewServer prepares the registrar's side. cfg is cloned; its flights carry adjacent handshake messages in one record,
// as Schannel sends them and clients rely on (sip.md §1.4).
func NewServer(cfg *tls.Config) *Handshake { return prepare(cfg, true) }

func prepare(cfg *tls.Config, server bool) *Handshake {
	h := &Handshake{pipe: newMemoryConn(), server: server, result: make(chan error, 1)}
	cfg = cfg.Clone()
	cfg.KeyLogWriter = &h.log
	cfg.SessionTicketsDisabled = true
	cfg.ClientSessionCache = nil
	if server {
		h.conn = tls.Server(h.pipe, cfg)
	} else {
		h.conn = tls.Client(h.pipe, cfg)
	}
	return h
}

// Next gives the peer's flight and returns the own one. The client's first call has no flight. done is true once the
// handshake is complete; out may still have to be sent then.
func (h *Handshake) Next(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if h.err != nil || h.done {
		return nil, h.done, h.err
	}
	if len(in) > MaxFlight {
		return nil, false, h.fail(ErrFlightTooLarge)
	}
	if !h.server {
		h.watch(in)
	}
	h.pipe.feed(in)
	if !h.started {
		h.started = true
		run, cancel := context.WithCancel(context.Background())
		h.cancel = cancel
		go func() { h.result <- h.conn.HandshakeContext(run) }()
	}
	select {
	case err = <-h.result:
		h.cancel()
		h.cancel = nil
		h.done = err == nil
	case <-h.pipe.starved:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, false, h.fail(fmt.Errorf("TLS-DSK handshake: %w", err))
	}
	out = h.pipe.take()
	if h.server {
		if out, err = mergeRecords(out); err != nil {
			return nil, false, h.fail(err)
		}
		h.watch(out)
	}
	if len(out) > MaxFlight {
		return nil, false, h.fail(ErrFlightTooLarge)
	}
	return out, h.done, nil
}

func (h *Handshake) fail(err error) error {
	h.err = err
	h.stop()
	return err
}

func (h *Handshake) stop() {
	h.pipe.Close()
	if h.cancel != nil {
		h.cancel()
		<-h.result
		h.cancel = nil
	}
}

// Close ends the handshake, wherever it is, and its goroutine.
func (h *Handshake) Close() {
	if h.err == nil && !h.done {
		h.err = ErrClosed
	}
	h.stop()
}

const (
	recordHeader     = 5
	typeHandshake    = 22
	typeServerHello  = 2
	maxRecordPayload = 1 << 14
)

// watch looks for the server random in the flights of the server: bytes 11 to 42 of its first record.
func (h *Handshake) watch(flight []byte) {
	if h.random != nil {
		return
	}
	h.serverHello = append(h.serverHello, flight...)
	b := h.serverHello
	if len(b) >= 43 && b[0] == typeHandshake && b[recordHeader] == typeServerHello {
		h.random = bytes.Clone(b[11:43])
		h.serverHello = nil
	}
}

// Keys derives the signing keys of a complete handshake.
func (h *Handshake) Keys() (Keys, error) {
	if !h.done {
		return Keys{}, ErrNotDone
	}
	clientRandom, master, err := h.log.secret()
	if err != nil {
		return Keys{}, err
	}
	if h.random == nil {
		return Keys{}, errors.New("TLS-DSK handshake: the server random was not seen")
	}
	return DeriveKeys(h.Version(), h.CipherSuite(), master, clientRandom, h.random)
}

// PeerCertificates are what the peer presented.
func (h *Handshake) PeerCertificates() []*x509.Certificate {
	return h.conn.ConnectionState().PeerCertificates
}

// Version is the negotiated TLS version.
func (h *Handshake) Version() uint16 { return h.conn.ConnectionState().Version }

// CipherSuite is the negotiated suite.
func (h *Handshake) CipherSuite() uint16 { return h.conn.ConnectionState().CipherSuite }

// keyLog takes the one line that crypto/tls writes for a handshake up to TLS 1.2.
type keyLog struct{ text strings.Builder }

func (l *keyLog) Write(b []byte) (int, error) { return l.text.Write(b) }

func (l *keyLog) secret() (clientRandom, master []byte, err error) {
	fields := strings.Fields(l.text.String())
	if len(fields) != 3 || fields[0] != "CLIENT_RANDOM" {
		return nil, nil, errors.New("TLS-DSK handshake: no master secret")
	}
	if clientRandom, err = hex.DecodeString(fields[1]); err != nil {
		return nil, nil, err
	}
	master, err = hex.DecodeString(fields[2])
	return clientRandom, master, err
}

// mergeRecords joins adjacent plaintext handshake records; after a ChangeCipherSpec records are encrypted and stay.
func mergeRecords(flight []byte) ([]byte, error) {
	var out, joined []byte
	var version []byte
	flush := func() {
		for len(joined) > 0 {
			n := min(len(joined), maxRecordPayload)
			out = append(out, typeHandshake, version[0], version[1], byte(n>>8), byte(n))
			out = append(out, joined[:n]...)
			joined = joined[n:]
		}
	}
	encrypted := false
	for rest := flight; len(rest) > 0; {
		if len(rest) < recordHeader {
			return nil, errors.New("TLS-DSK flight ends inside a record")
		}
		size := recordHeader + int(rest[3])<<8 + int(rest[4])
		if len(rest) < size {
			return nil, errors.New("TLS-DSK flight ends inside a record")
		}
		record := rest[:size]
		rest = rest[size:]
		if record[0] == typeHandshake && !encrypted {
			version = record[1:3]
			joined = append(joined, record[recordHeader:]...)
			continue
		}
		flush()
		encrypted = true
		out = append(out, record...)
	}
	flush()
	return out, nil
}
