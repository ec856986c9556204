package rig_test

import (
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestLeaseWhileReconnecting: a handset whose pool is away renews its lease, and if it loses the lease too it is back by
// itself all the same, with the certificate that it has.
func TestLeaseWhileReconnecting(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		x.forget()
		x.fault("register=pool-down")
		x.stay(3 * x.Lab.Network.LeaseTime)
		if got := len(x.saw(timeline.Note, "is renewed for")); got < 5 || len(x.saw(timeline.Sent, "DISCOVER")) != 0 {
			x.t.Errorf("renewed %d times in three leases, want 5 at least\n%s", got, x.log())
		}
		x.fault("address=nak")
		x.stay(x.Lab.Network.LeaseTime)
		if got := x.path(); got[len(got)-1] != devicestate.AddressAcquire {
			x.t.Errorf("states %v", got)
		}
		x.mend("address=nak")
		x.mend("register=pool-down")
		result := x.stay(x.Profile.ReconnectMost + time.Hour)
		x.wantSuccess(result)
		if !hasWarning(result, "address.lease-lost") {
			x.t.Errorf("warnings %v", result.Warnings)
		}
		for _, s := range x.path() {
			if s == devicestate.WebTicket || s == devicestate.Failed {
				x.t.Errorf("states %v", x.path())
				break
			}
		}
		x.answers("NOTIFY")
	})
}

// TestSignOutWithoutALease: the user signs out of a handset that has lost its lease.
func TestSignOutWithoutALease(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		x.fault("address=nak")
		x.stay(x.Lab.Network.LeaseTime)
		if m := x.do(func() { x.run.Handset.Do(devicestate.SignOut) }, time.Minute); m.State != devicestate.AddressAcquire || m.Reconnecting {
			x.t.Errorf("%+v", m)
		}
		x.wantErased(before)
		x.mend("address=nak")
		if m := x.do(func() {}, 5*time.Minute); m.State != devicestate.SignIn || m.Reason != devicestate.ReasonStart {
			x.t.Errorf("%+v\n%s", m, x.log())
		}
	})
}
