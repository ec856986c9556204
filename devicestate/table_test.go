package devicestate_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/devicestate"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file, or writes the file under -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
		t.Errorf("%s differs, 'make docs' writes it anew (-want +got):\n%s", file, diff)
	}
}

// machines returns machines in s that between them satisfy and fail every guard.
func machines(s devicestate.State) []devicestate.Machine {
	origins := []devicestate.State{""}
	switch s {
	case devicestate.Updating:
		origins = []devicestate.State{devicestate.UpdateLookup, devicestate.UpdateCheck}
	case devicestate.Failed:
		origins = []devicestate.State{
			devicestate.PoolDiscover, devicestate.RootChain, devicestate.WebTicket, devicestate.Enroll, devicestate.Register,
		}
	}
	var out []devicestate.Machine
	for _, from := range origins {
		for bits := range 256 {
			out = append(out, devicestate.Machine{State: s, From: from, ReEnrolled: bits&8 != 0, Renewing: bits&16 != 0, Reconnecting: bits&32 != 0, Locked: bits&64 != 0, Memory: devicestate.Memory{
				UnlockPIN: bits&128 != 0,
				Registrar: bits&1 != 0, Certificate: bits&2 != 0, Credentials: bits&4 != 0,
			}})
		}
	}
	return out
}

// outcomes lists what a pair of state and event can lead to, in the order of the machines that find it.
func outcomes(t *testing.T, s devicestate.State, e devicestate.Event) []string {
	t.Helper()
	var out []string
	seen := map[string]bool{}
	for _, m := range machines(s) {
		next, effects, err := devicestate.Step(m, devicestate.Happening{Event: e, Code: "test.code"})
		text := fmt.Sprintf("%s %v", next.State, effects)
		if next.State == devicestate.SignIn {
			text = fmt.Sprintf("%s/%s %v", next.State, next.Reason, effects)
		}
		var refusal *devicestate.Refusal
		if errors.As(err, &refusal) {
			text = "refused: " + string(refusal.Name)
			if refusal.Name == "" || refusal.State != s || refusal.Event != e {
				t.Errorf("%s in %s gives the refusal %+v", e, s, refusal)
			}
			if next != m || effects != nil {
				t.Errorf("%s in %s is refused and changes the machine to %+v, effects %v", e, s, next, effects)
			}
		} else if err != nil {
			t.Errorf("%s in %s: %v", e, s, err)
		}
		if !seen[text] {
			seen[text] = true
			out = append(out, text)
		}
	}
	return out
}

func TestEveryPairHasARowOrANamedRefusal(t *testing.T) {
	var b strings.Builder
	pairs := 0
	for _, s := range devicestate.States() {
		for _, e := range devicestate.Events() {
			pairs++
			fmt.Fprintf(&b, "%-14s %-19s %s\n", s, e, strings.Join(outcomes(t, s, e), " | "))
		}
	}
	if want := len(devicestate.States()) * len(devicestate.Events()); pairs != want {
		t.Errorf("%d pairs, want %d", pairs, want)
	}
	golden(t, "testdata/pairs.golden", b.String())
}

func TestUnknownEventIsRefused(t *testing.T) {
	_, _, err := devicestate.Step(devicestate.Machine{State: devicestate.Ready}, devicestate.Happening{Event: "Nonsense"})
	if err == nil || !strings.Contains(err.Error(), "Nonsense") || !strings.Contains(err.Error(), "Ready") {
		t.Errorf("error %v names neither event nor state", err)
	}
}

func TestEveryEventIsUsed(t *testing.T) {
	used := map[devicestate.Event]bool{}
	for _, row := range devicestate.Rows() {
		used[row.On] = true
	}
	listed := map[devicestate.Event]bool{}
	for _, e := range devicestate.Events() {
		listed[e] = true
		if !used[e] {
			t.Errorf("%s has no row", e)
		}
	}
	for e := range used {
		if !listed[e] {
			t.Errorf("%s has a row and is not listed", e)
		}
	}
}

func TestEveryEffectIsUsed(t *testing.T) {
	used := map[devicestate.Effect]bool{}
	for _, row := range devicestate.Rows() {
		for _, effect := range row.Effects {
			used[effect] = true
		}
	}
	for _, effect := range []devicestate.Effect{
		devicestate.TagFrames, devicestate.UntagFrames, devicestate.ReleaseLease, devicestate.DeclineLease, devicestate.DropLease,
		devicestate.SetClock, devicestate.StoreChain, devicestate.StoreIdentity, devicestate.StoreCertificate,
		devicestate.StoreRegistrar, devicestate.StoreImage, devicestate.MarkRefused, devicestate.EraseSignIn,
		devicestate.EraseUser, devicestate.EraseFlash, devicestate.StoreUnlockPIN,
		devicestate.ForgetRegistrar, devicestate.BackOff, devicestate.HoldBack, devicestate.DropCredentials, devicestate.DropTicket,
		devicestate.RenewAssociation, devicestate.PostponeRenewal, devicestate.Deregister,
		devicestate.CloseConnection, devicestate.LoseMemory, devicestate.Report,
	} {
		if !used[effect] {
			t.Errorf("no row has the effect %s", effect)
		}
		delete(used, effect)
	}
	for effect := range used {
		t.Errorf("effect %s is not in this test's list", effect)
	}
}

func TestEveryRowHasASourceAndKnownStates(t *testing.T) {
	known := map[devicestate.State]bool{devicestate.Any: true, devicestate.Same: true, devicestate.Origin: true}
	for _, s := range devicestate.States() {
		known[s] = true
	}
	for _, row := range devicestate.Rows() {
		if row.Source == "" || !known[row.From] || !known[row.To] || row.From == devicestate.Same || row.From == devicestate.Origin {
			t.Errorf("row %+v", row)
		}
		if row.Reason != "" && row.To != devicestate.SignIn {
			t.Errorf("%s on %s gives a reason and does not lead to SignIn", row.From, row.On)
		}
	}
}

// TestEveryStateIsReached walks every event from every machine met, beginning with the one that is powered off.
func TestEveryStateIsReached(t *testing.T) {
	begin := devicestate.Machine{State: devicestate.PoweredOff}
	met := map[devicestate.Machine]bool{begin: true}
	reached := map[devicestate.State]bool{}
	for queue := []devicestate.Machine{begin}; len(queue) > 0; queue = queue[1:] {
		m := queue[0]
		reached[m.State] = true
		for _, e := range devicestate.Events() {
			for bits := range 8 {
				next, _, err := devicestate.Step(m, devicestate.Happening{Event: e, Code: "test.code", Memory: devicestate.Memory{
					Registrar: bits&1 != 0, Certificate: bits&2 != 0, Credentials: bits&4 != 0,
				}})
				if err == nil && !met[next] {
					met[next] = true
					queue = append(queue, next)
				}
			}
		}
	}
	for _, s := range devicestate.States() {
		if !reached[s] {
			t.Errorf("%s is never reached", s)
		}
	}
	t.Logf("%d machines", len(met))
}

// TestStepIsPure steps the same machine twice and looks at every argument and at the table afterwards.
func TestStepIsPure(t *testing.T) {
	rows := fmt.Sprintf("%+v", devicestate.Rows())
	for _, s := range devicestate.States() {
		for _, m := range machines(s) {
			for _, e := range devicestate.Events() {
				before, h := m, devicestate.Happening{Event: e, Code: "test.code", Memory: devicestate.Memory{Credentials: true}}
				first, effects, err := devicestate.Step(m, h)
				for i := range effects {
					effects[i] = "spoilt by the caller"
				}
				second, again, errAgain := devicestate.Step(m, h)
				if m != before || first != second || !reflect.DeepEqual(err, errAgain) || len(effects) != len(again) {
					t.Fatalf("%s in %+v: %+v %v, then %+v %v", e, m, first, err, second, errAgain)
				}
			}
		}
	}
	if fmt.Sprintf("%+v", devicestate.Rows()) != rows {
		t.Error("the table has changed")
	}
}
