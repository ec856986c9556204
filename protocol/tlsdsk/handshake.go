package tlsdsk

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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
// call. No application data is ever exchanged; only the keys matter. Its methods are for one goroutine.
type Handshake struct {
	conn   *tls.Conn
	pipe   *memoryConn
	server bool
	result chan error // of the running crypto/tls handshake; nil before it runs and after its result was taken
	done   bool
	err    error
	log    keyLog

	firstFlight []byte // of the server, until the random is known
	random      []byte // of the server
}

// NewClient prepares the handset's side. cfg is cloned. TLS 1.3 is never negotiated: it has no key derivation.
func NewClient(cfg *tls.Config) *Handshake {
	h := &Handshake{pipe: newMemoryConn()}
	h.conn = tls.Client(h.pipe, h.prepare(cfg))
	return h
}

// NewServer prepares the registrar's side. cfg is cloned, as for NewClient. Its flights carry adjacent handshake
// messages in one record, as Schannel sends them and clients rely on (sip.md §1.4).
func NewServer(cfg *tls.Config) *Handshake {
	h := &Handshake{pipe: newMemoryConn(), server: true}
	h.conn = tls.Server(h.pipe, h.prepare(cfg))
	return h
}

func (h *Handshake) prepare(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	cfg.KeyLogWriter = &h.log
	cfg.SessionTicketsDisabled = true
	cfg.ClientSessionCache = nil
	if cfg.MaxVersion == 0 || cfg.MaxVersion > tls.VersionTLS12 {
		cfg.MaxVersion = tls.VersionTLS12
	}
	return cfg
}

// Next gives the peer's flight and returns the own one, which may be empty. The client's first call has no flight.
// done is true once the handshake is complete; the server's out still has to be sent then. After an error, and after
// done, the handshake takes nothing more. Each flight is bounded by MaxFlight.
func (h *Handshake) Next(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if h.err != nil || h.done {
		return nil, h.done, h.err
	}
	if len(in) > MaxFlight {
		return nil, false, h.fail(fmt.Errorf("%w: it has %d", ErrFlightTooLarge, len(in)))
	}
	if !h.server {
		h.watch(in)
	}
	h.pipe.feed(in)
	if h.result == nil {
		h.result = make(chan error, 1)
		go func(result chan<- error) { result <- h.conn.Handshake() }(h.result)
	}
	select {
	case err = <-h.result:
		h.result = nil
		h.done = err == nil
	case <-h.pipe.starved:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, false, h.fail(fmt.Errorf("TLS-DSK handshake: %w", err))
	}
	if out, err = h.ownFlight(); err != nil {
		return nil, false, h.fail(err)
	}
	return out, h.done, nil
}

func (h *Handshake) ownFlight() ([]byte, error) {
	out := h.pipe.take()
	if h.server {
		var err error
		if out, err = mergeRecords(out); err != nil {
			return nil, err
		}
		h.watch(out)
	}
	if len(out) > MaxFlight {
		return nil, fmt.Errorf("%w: the own one has %d", ErrFlightTooLarge, len(out))
	}
	return out, nil
}

func (h *Handshake) fail(err error) error {
	h.done, h.err = false, err
	h.stop()
	return err
}

// stop ends the goroutine of a handshake that runs.
func (h *Handshake) stop() {
	h.pipe.Close()
	if h.result != nil {
		<-h.result
		h.result = nil
	}
}

// Close ends the handshake, wherever it is, and its goroutine. The keys of a complete handshake stay readable.
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

// watch takes the server random: bytes 11 to 42 of the server's first record, after record header (5), message header
// (4) and version (2).
func (h *Handshake) watch(flight []byte) {
	if h.random != nil {
		return
	}
	h.firstFlight = append(h.firstFlight, flight...)
	b := h.firstFlight
	if len(b) >= 43 && b[0] == typeHandshake && b[recordHeader] == typeServerHello {
		h.random = bytes.Clone(b[11:43])
		h.firstFlight = nil
	}
}

// Keys derives the signing keys of a complete handshake.
func (h *Handshake) Keys() (Keys, error) {
	clientRandom, master, err := h.Secret()
	if err != nil {
		return Keys{}, err
	}
	if h.random == nil {
		return Keys{}, errors.New("TLS-DSK handshake: the server random was not seen")
	}
	return DeriveKeys(h.Version(), h.CipherSuite(), master, clientRandom, h.random)
}

// Secret is what a TLS key log holds of a complete handshake: CLIENT_RANDOM, client random, master secret.
func (h *Handshake) Secret() (clientRandom, master []byte, err error) {
	if !h.done {
		return nil, nil, ErrNotDone
	}
	return h.log.secret()
}

// WriteKeyLog writes the secret of a complete handshake as a line of an NSS key log.
func (h *Handshake) WriteKeyLog(w io.Writer) error {
	clientRandom, master, err := h.Secret()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "CLIENT_RANDOM %x %x\n", clientRandom, master)
	return err
}

// PeerCertificates are what the peer presented, nil before the handshake is done.
func (h *Handshake) PeerCertificates() []*x509.Certificate { return h.state().PeerCertificates }

// Version is the negotiated TLS version, 0 before the handshake is done.
func (h *Handshake) Version() uint16 { return h.state().Version }

// CipherSuite is the negotiated suite, 0 before the handshake is done.
func (h *Handshake) CipherSuite() uint16 { return h.state().CipherSuite }

// state must not ask crypto/tls while its handshake runs: it would wait for it.
func (h *Handshake) state() tls.ConnectionState {
	if !h.done {
		return tls.ConnectionState{}
	}
	return h.conn.ConnectionState()
}

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
