//go:build outside

package outside

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/trace"
	"github.com/phone-edition/lpe/scenarios/importer"
)

// A spoken connection: a handset that shows itself by LLDP sends a REGISTER over TLS and gets its answer.
type spokenTLS struct {
	version uint16
	suites  []uint16
	secrets bool // in the capture
	keyLog  io.Writer
	server  tls.Certificate
}

func (s spokenTLS) capture(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tls.pcapng")
	w, err := trace.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	segment := ethernet.NewSegment(ethernet.Options{Tap: w.WriteFrame})
	handset := join(t, segment, "handset", 1, ethernet.Port{})
	pool := join(t, segment, "pool", 2, ethernet.Port{})
	speakLLDP(t, handset)
	setAddress(t, handset, "10.0.0.1/24")
	setAddress(t, pool, "10.0.0.2/24")
	if s.secrets {
		s.keyLog = secretsWriter{w}
	}
	s.speak(t, handset, pool)
	if err := segment.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func (s spokenTLS) speak(t *testing.T, handset, pool ethernet.Station) {
	t.Helper()
	l, err := pool.ListenTCP(5061)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if s.server.Certificate == nil {
		s.server = certificate(t)
	}
	served := make(chan error, 1)
	go func() { served <- s.serve(l) }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := handset.DialTCP(ctx, netip.MustParseAddrPort("10.0.0.2:5061"))
	if err != nil {
		t.Fatal(err)
	}
	client := tls.Client(conn, &tls.Config{
		InsecureSkipVerify: true, MinVersion: s.version, MaxVersion: s.version, CipherSuites: s.suites, KeyLogWriter: s.keyLog,
	})
	if _, err := io.WriteString(client, register); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(client); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
}

func (s spokenTLS) serve(l net.Listener) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	server := tls.Server(conn, &tls.Config{
		Certificates: []tls.Certificate{s.server}, MinVersion: s.version, CipherSuites: s.suites, SessionTicketsDisabled: true,
	})
	if _, err := io.ReadFull(server, make([]byte, len(register))); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if _, err := io.WriteString(server, strings.Replace(register, "REGISTER sip:litwareinc.com SIP/2.0", "SIP/2.0 200 OK", 1)); err != nil {
		return err
	}
	if err := server.CloseWrite(); err != nil {
		return err
	}
	if _, err := io.ReadAll(server); err != nil {
		return err
	}
	return server.Close()
}

// kinds are the messages of a boot in a line each, without LLDP.
func kinds(b *importer.Boot) []string {
	var out []string
	for _, m := range b.Messages {
		if m.Protocol != "lldp" {
			out = append(out, fmt.Sprintf("%v %s %s", m.Sent, m.Protocol, m.Kind))
		}
	}
	return out
}

func imported(t *testing.T, file string, o importer.Options) *importer.Boot {
	t.Helper()
	c, err := importer.Read(t.Context(), file, o)
	if err != nil {
		t.Fatal(err)
	}
	return c.Boot()
}

var (
	clearBoot = []string{
		"true arp announcement", "true arp request for 10.0.0.2", "false arp answer of 10.0.0.2", "true tls ClientHello", "false tls ServerHello", "true sip REGISTER 1", "false sip 200 OK to REGISTER 1",
	}
	hiddenBoot = clearBoot[:5]
)

// TestImportReadsEveryTLS reads a REGISTER out of each version of TLS, with the secrets in the capture, with a key log
// beside it, and says what cannot be read without either.
func TestImportReadsEveryTLS(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			b := imported(t, spokenTLS{version: version, secrets: true}.capture(t), importer.Options{})
			if got := kinds(b); !slices.Equal(got, clearBoot) || len(b.Unread) > 0 {
				t.Errorf("got %q, unread %v", got, b.Unread)
			}
			var log strings.Builder
			file := spokenTLS{version: version, keyLog: &log}.capture(t)
			b = imported(t, file, importer.Options{})
			if got := kinds(b); !slices.Equal(got, hiddenBoot) || len(b.Unread) != 2 || !b.Unread[0].TLS || b.Unread[0].Bytes == 0 {
				t.Errorf("without secrets: got %q, unread %v", got, b.Unread)
			}
			keys := filepath.Join(t.TempDir(), "keys")
			if err := os.WriteFile(keys, []byte(log.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			b = imported(t, file, importer.Options{KeyLog: keys})
			if got := kinds(b); !slices.Equal(got, clearBoot) || len(b.Unread) > 0 {
				t.Errorf("with a key log: got %q, unread %v", got, b.Unread)
			}
		})
	}
}
