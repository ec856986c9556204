//go:build peers

package outside

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestLeaseRenewalOnTheWire: DHCP servers from elsewhere renew the lease of a handset that is signed in, as often as they
// want to be asked, and it stays signed in. tshark finds no fault with what it sends.
func TestLeaseRenewalOnTheWire(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ dhcp, options, says string }{
		{"isc", "max-lease-time 12;\n", "DHCPACK on 10.77.0.100 to 00:04:f2:"},
		{"kea", `"valid-lifetime": 60, "renew-timer": 6, "rebind-timer": 40, `, "lease 10.77.0.100 has been allocated for 60 seconds"},
	} {
		t.Run(test.dhcp, func(t *testing.T) {
			t.Parallel()
			client, server := newWire(t)
			leases := dhcpServers[test.dhcp](server, test.options+litware.dhcp(t, test.dhcp, nil))
			startNames(server, litware.names())
			startChrony(server)
			pool := startLitware(server)

			p := newBridged(t, client)
			p.Capture = t.TempDir() + "/boot.pcapng"
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			renewed, acquired := 0, 0
			p.Observers = append(p.Observers, func(o timeline.Observation) {
				if o.Kind == timeline.Transition && o.State == devicestate.AddressAcquire {
					acquired++
				}
				if o.State == devicestate.Ready && strings.HasPrefix(o.Text, "the lease of 10.77.0.100 is renewed for") {
					if renewed++; renewed == 2 {
						cancel()
					}
				}
			})
			run := p.start()
			p.wantSuccess(run.Boot(ctx))
			p.wantSuccess(run.Stay(ctx))
			if renewed != 2 {
				t.Fatalf("renewed %d times", renewed)
			}
			leases.until("lease and two renewals", func() bool {
				printed, _ := leases.log.sofar()
				return strings.Count(printed, test.says) >= 3
			})
			if acquired != 1 {
				t.Errorf("AddressAcquire was entered %d times", acquired)
			}
			p.end()
			wantSignedOff(t, pool, 1)
			if bad := faults(t, p.Capture); bad != "" {
				t.Errorf("tshark finds fault with:\n%s", bad)
			}
		})
	}
}
