//go:build peers

package outside

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
)

// TestOldPoolOnTheWire boots against a pool as it was: TLS 1.0 alone, RSA key exchange, SHA-1, keys of 1024 bits. tshark
// tells what the two agreed on.
func TestOldPoolOnTheWire(t *testing.T) {
	t.Parallel()
	for suite, number := range map[string]string{"TLS_RSA_WITH_3DES_EDE_CBC_SHA": "0x000a", "TLS_RSA_WITH_RC4_128_SHA": "0x0005"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			lab, err := configs.LoadLab("litware")
			if err != nil {
				t.Fatal(err)
			}
			lab.TLSMin, lab.TLSMax = "1.0", "1.0"
			lab.PKI = configs.PKI{Signature: "sha1", Intermediate: true, KeyBits: 1024}
			client, server := newWire(t)
			startISC(server, litware.dhcp(t, "isc", nil))
			startNames(server, litware.names())
			startChrony(server)
			pool := startLab(server, lab)
			p := newBridged(t, client).quick()
			p.Profile.TLSSuites = []string{suite}
			p.Capture, p.CaptureSecrets = filepath.Join(t.TempDir(), "old.pcapng"), true
			p.wantSuccess(p.boot())
			wantSignedOff(t, pool, 1)
			wantCleanCapture(t, p.Capture)
			hellos := strings.Split(strings.TrimSpace(tsharkFields(t, p.Capture, "tls.handshake.type == 2", "tcp.srcport", "tls.handshake.version", "tls.handshake.ciphersuite")), "\n")
			slices.Sort(hellos)
			want := []string{"443\t0x0301\t" + number, "5061\t0x0301\t" + number}
			if got := slices.Compact(hellos); !slices.Equal(got, want) {
				t.Errorf("agreed on %q, want %q", got, want)
			}
		})
	}
}
