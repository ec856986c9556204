package tlsdsk_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// FuzzFlights changes one of the flights after the ClientHello: the client's certificate flight, or one of the
// server's. Nobody sends half a record, and a handshake that ends well all the same gives both sides the same keys.
func FuzzFlights(f *testing.F) {
	for flight := range uint8(4) {
		f.Add(flight, uint16(0), []byte{})
		f.Add(flight, uint16(0), []byte{21, 3, 1, 0, 2, 2, 40})
		f.Add(flight, uint16(3), []byte{0xff, 0xff})
		f.Add(flight, uint16(5), []byte{14})
		f.Add(flight, uint16(40), []byte{0})
		f.Add(flight, uint16(900), []byte{1, 2, 3})
		f.Add(flight, uint16(0xffff), []byte{20, 3, 1, 0, 1, 1})
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, patch []byte) {
		cc, sc := configs(t, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
		client, server := tlsdsk.NewClient(cc), tlsdsk.NewServer(sc)
		defer client.Close()
		defer server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var flight []byte
		ended := [2]bool{} // client, server
		for n := range 5 {
			if n > 0 && which%4 == uint8(n-1) {
				flight = patched(flight, int(at), patch)
			}
			side := n % 2
			out, done, err := []*tlsdsk.Handshake{client, server}[side].Next(ctx, flight)
			if err != nil {
				if out != nil || errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("flight %d: %d bytes beside %v", n, len(out), err)
				}
				break
			}
			records(t, out)
			ended[side], flight = done, out
			if done && side == 0 {
				break
			}
		}
		switch {
		case ended[0] && ended[1]:
			agree(t, client, server)
		case !ended[1]:
			if _, err := server.Keys(); !errors.Is(err, tlsdsk.ErrNotDone) {
				t.Errorf("keys of half a handshake: %v", err)
			}
		}
	})
}

// patched is a flight with other bytes in a place of it; beyond its end they are added.
func patched(flight []byte, at int, patch []byte) []byte {
	out := bytes.Clone(flight)
	at = min(at, len(out))
	return append(out[:at], append(bytes.Clone(patch), out[min(len(out), at+len(patch)):]...)...)
}
