package labpool_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// in awaits each state for a second and returns those that the user is in.
func (r *room) in(user string) []labpool.State {
	r.t.Helper()
	var out []labpool.State
	for _, state := range labpool.States() {
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		_, err := r.pool.Await(ctx, user, state)
		cancel()
		if err == nil {
			out = append(out, state)
		} else if !errors.Is(err, context.DeadlineExceeded) {
			r.t.Error(err)
		}
	}
	return out
}

func (r *room) wantIn(user string, want ...labpool.State) {
	r.t.Helper()
	if got := r.in(user); !slices.Equal(got, want) {
		r.t.Errorf("%s is %v, want %v", user, got, want)
	}
}

func TestAwait(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		r.wantIn("1219")
		r.during(func(context.Context) { r.wantIn("1219", labpool.Registered, labpool.Ticketed, labpool.Enrolled) })
		r.wantIn("1219", labpool.SignedOff, labpool.Ticketed, labpool.Enrolled)

		r.during(func(ctx context.Context) {
			r.must(r.pool.Deregister(ctx, "1219", registrar.Unregistered))
			r.wantIn("1219", labpool.Removed, labpool.Ticketed, labpool.Enrolled)
		})
		_, err := r.pool.Authority.Revoke(kenmyer, "")
		r.must(err)
		time.Sleep(9 * time.Hour) // longer than a web ticket
		r.wantIn("1219", labpool.Removed)
		r.wantIn("second")
	})
}

// TestAwaitWaits: each state is seen when it is reached, not before.
func TestAwaitWaits(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		var order []string
		done := make(chan string, 4)
		for _, state := range []labpool.State{labpool.Ticketed, labpool.Enrolled, labpool.Registered, labpool.SignedOff} {
			go func() {
				reached, err := r.pool.Await(r.t.Context(), kenmyer, state)
				if err != nil || reached.State != state || reached.User.SIPAddress != kenmyer {
					t.Errorf("%+v, %v", reached, err)
				}
				done <- string(state)
			}()
		}
		run := r.phone()
		if result := run.Boot(r.t.Context()); result.Result != report.Success {
			t.Errorf("%s: %s", result.Code, result.Diagnosis)
		}
		synctest.Wait()
		for range 3 {
			order = append(order, <-done)
		}
		slices.Sort(order)
		if !slices.Equal(order, []string{"enrolled", "registered", "ticketed"}) || len(done) > 0 {
			t.Errorf("reached %v and %d more", order, len(done))
		}
		if err := run.Close(); err != nil {
			t.Error(err)
		}
		if state := <-done; state != "signed-off" {
			t.Errorf("reached %s", state)
		}
	})
}

func TestAwaitRefused(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		r.who.PIN = secret.New("9999")
		if result := r.boot(); result.Code != "ticket.refused" {
			t.Errorf("%s: %s", result.Code, result.Diagnosis)
		}
		entry, err := r.pool.AwaitRefused(r.t.Context(), "1219")
		if err != nil || history.Value(entry.Observation, history.Refused) != "ticket.pin" || entry.User != kenmyer {
			t.Errorf("%+v, %v", entry, err)
		}
		r.who.PIN = secret.New("0712")
		if result := r.boot(); result.Result != report.Success {
			t.Errorf("%s: %s", result.Code, result.Diagnosis)
		}
		r.wantIn("1219", labpool.SignedOff, labpool.Ticketed, labpool.Enrolled)

		r.must(r.pool.Directory.Disable(kenmyer))
		r.boot()
		r.wantIn("1219", labpool.SignedOff, labpool.Ticketed, labpool.Enrolled, labpool.Refused)
		r.must(r.pool.Directory.Enable(kenmyer))
		r.must(r.pool.SetFault("register=403", ""))
		r.boot()
		r.wantIn("1219", labpool.SignedOff, labpool.Ticketed, labpool.Enrolled, labpool.Refused)
		entry, err = r.pool.AwaitRefused(r.t.Context(), "1219")
		if got := history.Value(entry.Observation, history.Refused); err != nil || got != "fault register=403" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestAwaitExpired: nothing happens when a registration expires, and yet it is seen.
func TestAwaitExpired(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		r.must(r.pool.ChangeRegistrar(func(c *configs.Registrar) {
			c.MinEndpointExpiration, c.DefaultEndpointExpiration, c.MaxEndpointExpiration = 60, 60, 60
		}))
		run := r.phone()
		if result := run.Boot(r.t.Context()); result.Result != report.Success {
			t.Errorf("%s: %s", result.Code, result.Diagnosis)
		}
		began := time.Now() // the handset does nothing from now on, because nobody runs it
		reached, err := r.pool.Await(r.t.Context(), kenmyer, labpool.Expired)
		if took := time.Since(began); err != nil || took > time.Minute || took < 55*time.Second || reached.Registration.State != registrar.Expired {
			t.Errorf("%+v after %v, %v", reached, took, err)
		}
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAwaitErrors(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		ctx, cancel := context.WithCancel(r.t.Context())
		if _, err := r.pool.AwaitRegistered(ctx, "nobody"); !errors.Is(err, directory.ErrNobody) {
			t.Errorf("%v", err)
		}
		if _, err := r.pool.Await(ctx, "1219", "asleep"); err == nil || !strings.Contains(err.Error(), "registered") {
			t.Errorf("%v", err)
		}
		cancel()
		_, err := r.pool.AwaitEnrolled(ctx, "1219")
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "is not enrolled") || !strings.Contains(err.Error(), "nothing was seen") {
			t.Errorf("%v", err)
		}
	})
}

// TestDeregisterAndNotify reach the handset, or say why not.
func TestDeregisterAndNotify(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		self := registrar.Notification{Event: "vnd-microsoft-roaming-self"}
		r.during(func(ctx context.Context) {
			r.must(r.pool.Notify(ctx, "1219", self))
			if err := r.pool.Notify(ctx, "1219", registrar.Notification{Event: "conference"}); !errors.Is(err, registrar.ErrNotSubscribed) {
				t.Errorf("%v", err)
			}
			r.must(r.pool.DropAssociations(ctx))
			if err := r.pool.Notify(ctx, "1219", self); !errors.Is(err, registrar.ErrNoAssociation) {
				t.Errorf("%v", err)
			}
		})
		if err := r.pool.Notify(r.t.Context(), "second", self); !errors.Is(err, registrar.ErrNotRegistered) {
			t.Errorf("%v", err)
		}
		if err := r.pool.Deregister(r.t.Context(), "second", registrar.Rejected); !errors.Is(err, registrar.ErrNotRegistered) {
			t.Errorf("%v", err)
		}
		if err := r.pool.Deregister(r.t.Context(), "nobody", registrar.Rejected); !errors.Is(err, directory.ErrNobody) {
			t.Errorf("%v", err)
		}
	})
}

// TestHistoryOfABoot: what a handset asked is there in order, and whose it is, from the first frame to the last.
func TestHistoryOfABoot(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		r.during(func(context.Context) {})
		entries, err := r.pool.HistoryOf("1219", 0)
		r.must(err)
		want := []struct{ protocol, text, auth string }{
			{"lldp", "LLDP-MED", ""},
			{"dhcp", "DISCOVER", ""},
			{"dhcp", "REQUEST", ""},
			{"dns", "A ucupdates-r2", ""},
			{"ntp", "", ""},
			{"dhcp", "INFORM", ""},
			{"http", "certprovisioningservice.svc", ""},
			{"https", "web ticket for " + kenmyer, "pin"},
			{"https", "certificate for " + kenmyer, "web-ticket"},
			{"sip", "REGISTER 1", ""},
			{"sip", "REGISTER 4", "tls-dsk"},
			{"sip", "SUBSCRIBE", "tls-dsk"},
			{"https", "device updates", "certificate"},
			{"sip", "signed off", "tls-dsk"},
		}
		for _, e := range entries {
			if e.User != kenmyer {
				t.Errorf("an entry of %q: %+v", e.User, e.Observation)
			}
			if len(want) > 0 && e.Kind == timeline.Received && e.Protocol == want[0].protocol && strings.Contains(strings.ToLower(e.Text), strings.ToLower(want[0].text)) &&
				history.Value(e.Observation, history.Auth) == want[0].auth {
				want = want[1:]
			}
			if strings.Contains(e.Text, "0712") {
				t.Errorf("the PIN is in %+v", e)
			}
		}
		if len(want) > 0 {
			var all []string
			for _, e := range r.pool.History.All(0) {
				all = append(all, e.Protocol+" "+string(e.Kind)+" "+e.Peer+" "+e.User+" "+e.Text)
			}
			t.Errorf("from %v on missing in\n%s", want, strings.Join(all, "\n"))
		}
		if other, err := r.pool.HistoryOf("second", 0); err != nil || len(other) > 0 {
			t.Errorf("of another user: %d entries, %v", len(other), err)
		}
	})
}
