//go:build peers

package outside

import (
	"syscall"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool"
)

// newSite has litware on a wire with servers from elsewhere, and a switch that tells a policy, so that no boot waits.
func newSite(t *testing.T, faults ...string) (client, server *namespace, pool *labpool.Pool) {
	t.Helper()
	client, server = newWire(t)
	startISC(server, litware.dhcp(t, "isc", nil))
	startNames(server, litware.names())
	startChrony(server)
	startLLDPD(server, "eth0", "configure ports eth0 med policy application voice dscp 46")
	return client, server, startLitware(server, faults...)
}

// TestSignsOff: whatever ends the command, an endpoint that was registered is signed off. It is not run beside other
// tests: the last of these has to be registered within 8 s, and unanswered after.
func TestSignsOff(t *testing.T) {
	for _, test := range []struct {
		name, fault, until string // what it prints before Ctrl-C, "": it ends by itself
		args               []string
		code               int
	}{
		{name: "Ctrl-C when signed in", until: "Welcome", args: []string{"--stay"}, code: 0},
		{name: "Ctrl-C while it subscribes", fault: "provision=timeout", until: "SUBSCRIBE", code: 130},
		{name: "failure after the registration", fault: "provision=timeout", args: []string{"--timeout", "8s"}, code: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var faults []string
			if test.fault != "" {
				faults = []string{test.fault}
			}
			client, _, pool := newSite(t, faults...)
			command := client.command(lpePath(), append([]string{"boot", "--interface", "eth0", "--phone-or-ext", "1219", "-v"}, test.args...)...)
			command.Env = append(command.Environ(), "LPE_PIN=0712")
			d := client.startCommand(command)
			if test.until != "" {
				d.says(test.until)
				if err := d.command.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case <-d.ended:
			case <-soon(t).Done():
				t.Fatal("the command does not end")
			}
			if code := d.command.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit %d, want %d", code, test.code)
			}
			wantSignedOff(t, pool, 1)
		})
	}
}
