//go:build outside

package outside

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/rig"
)

// TestServedTLS: openssl shakes hands with a served pool in each version that the lab has, on both ports of TLS, and
// verifies the chain with the file that the ready file names; in the others it is refused by an alert.
func TestServedTLS(t *testing.T) {
	openssl := program(t, "openssl")
	for _, versions := range [][2]string{{"1.0", "1.2"}, {"1.0", "1.3"}, {"1.2", "1.3"}} {
		lab, err := configs.LoadLab("litware")
		if err != nil {
			t.Fatal(err)
		}
		lab.TLSMin, lab.TLSMax = versions[0], versions[1]
		pool, err := rig.Serve(t.Context(), rig.ServeOptions{Lab: lab, Listen: netip.MustParseAddr("127.0.0.1")})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range pool.Ready.Addresses {
			if a.Service != "https" && a.Service != "sip-tls" {
				continue
			}
			for version, flag := range map[string]string{"1.0": "-tls1", "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3"} {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				c := exec.CommandContext(ctx, openssl, "s_client", "-connect", a.Address, flag, "-cipher", "ALL:@SECLEVEL=0", "-noservername",
					"-CAfile", pool.Ready.CA, "-verify_hostname", a.Host, "-verify_return_error", "-brief")
				c.Env = append(os.Environ(), "OPENSSL_CONF="+filepath.Join(t.TempDir(), "none"))
				out, err := c.CombinedOutput() // standard input is at its end, so it leaves after the handshake
				cancel()
				wanted := version >= versions[0] && version <= versions[1]
				text := string(out)
				switch {
				case wanted && (err != nil || !strings.Contains(text, "Protocol version: TLSv"+strings.TrimSuffix(version, ".0")+"\n") || !strings.Contains(text, "Verification: OK")):
					t.Errorf("lab %v, %s, TLS %s: %v\n%s", versions, a.Service, version, err, text)
				case !wanted && (err == nil || !strings.Contains(text, "alert")):
					t.Errorf("lab %v, %s, TLS %s was not refused: %v\n%s", versions, a.Service, version, err, text)
				}
			}
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	}
}
