package handset

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
)

func TestConnectionFailure(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind string
	}{
		{syscall.ECONNREFUSED, "refused"},
		{syscall.EHOSTUNREACH, "timeout"},
		{syscall.ENETUNREACH, "timeout"},
		{context.DeadlineExceeded, "timeout"},
		{os.ErrDeadlineExceeded, "timeout"},
		{io.EOF, "reset"},
		{io.ErrUnexpectedEOF, "reset"},
		{syscall.ECONNRESET, "reset"},
		{syscall.EPIPE, "reset"},
		{net.ErrClosed, "reset"},
		{errors.New("no HTTP"), "garbage"},
	} {
		for _, err := range []error{test.err, &net.OpError{Op: "dial", Err: fmt.Errorf("wrapped: %w", test.err)}} {
			f := connectionFailure(devicestate.StageChain, "peer", "testing", err)
			if want := devicestate.NewCode(devicestate.StageChain, test.kind); f.Code != want || !errors.Is(f, test.err) {
				t.Errorf("%v: %v, want %s", err, f, want)
			}
		}
	}
}

// TestTLSFailure holds the alerts of a real server: one that does not speak the version, and one that ends the
// handshake for another reason.
func TestTLSFailure(t *testing.T) {
	for _, test := range []struct {
		server *tls.Config
		code   devicestate.Code
	}{
		{&tls.Config{MinVersion: tls.VersionTLS12}, "register.tls-version"},
		{&tls.Config{MinVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA}}, "register.tls-failed"},
	} {
		client, server := net.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- errors.Join(tls.Server(server, test.server).Handshake(), server.Close())
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := tls.Client(client, &tls.Config{
			InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		}).HandshakeContext(ctx)
		cancel()
		client.Close()
		<-ended
		if f := tlsFailure(devicestate.StageRegister, "peer", err); f.Code != test.code {
			t.Errorf("%v, want %s", f, test.code)
		}
	}
}
