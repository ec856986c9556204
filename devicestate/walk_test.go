package devicestate_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
)

// walk is what an observer of the boot knows besides the machine.
type walk struct {
	machine      devicestate.Machine
	registered   bool // since the connection was last closed or memory lost
	ticket       bool
	addressOwned bool
	steps        map[devicestate.State]int
	refusals     int
}

// TestRandomWalk takes 400,000 random events, more often one that the state has a row for.
func TestRandomWalk(t *testing.T) {
	random := rand.New(rand.NewPCG(2013, 7577))
	events := devicestate.Events()
	fitting := map[devicestate.State][]devicestate.Event{}
	for _, row := range devicestate.Rows() {
		fitting[row.From] = append(fitting[row.From], row.On)
	}
	w := walk{machine: devicestate.Machine{State: devicestate.PoweredOff}, steps: map[devicestate.State]int{}}
	for n := range 400_000 {
		event := events[random.IntN(len(events))]
		if own := fitting[w.machine.State]; len(own) > 0 && random.IntN(20) < 19 {
			event = own[random.IntN(len(own))]
		}
		happening := devicestate.Happening{Event: event, Code: "test.code", Memory: devicestate.Memory{
			Registrar: random.IntN(2) == 0, Certificate: random.IntN(2) == 0, Credentials: random.IntN(2) == 0, UnlockPIN: random.IntN(2) == 0,
		}}
		if problem := w.step(happening); problem != "" {
			t.Fatalf("step %d, %s: %s: %+v", n, event, problem, w.machine)
		}
	}
	for _, s := range devicestate.States() {
		if w.steps[s] < 50 {
			t.Errorf("%s was entered %d times only", s, w.steps[s])
		}
	}
	if w.refusals == 0 {
		t.Error("no event was refused")
	}
}

// step takes one event and returns the invariant that does not hold after it.
func (w *walk) step(h devicestate.Happening) string {
	before := w.machine
	after, effects, err := devicestate.Step(before, h)
	if err != nil {
		w.refusals++
		if after != before || effects != nil {
			return "a refusal changes the machine"
		}
		return ""
	}
	w.machine = after
	w.steps[after.State]++
	w.follow(h.Event, effects)
	return w.broken(before, h, effects)
}

func (w *walk) follow(e devicestate.Event, effects []devicestate.Effect) {
	switch e {
	case devicestate.Registered:
		w.registered = true
	case devicestate.TicketGranted:
		w.ticket = true
	case devicestate.AddressBound:
		w.addressOwned = true
	}
	for _, effect := range effects {
		switch effect {
		case devicestate.CloseConnection:
			w.registered = false
		case devicestate.DropTicket:
			w.ticket = false
		case devicestate.DropLease:
			w.addressOwned = false
		case devicestate.LoseMemory:
			w.registered, w.ticket, w.addressOwned = false, false, false
		}
	}
}

func (w *walk) broken(before devicestate.Machine, h devicestate.Happening, effects []devicestate.Effect) string {
	m := w.machine
	refused := h.Event == devicestate.TicketRefused || h.Event == devicestate.CertificateRefused
	switch {
	case m.State == devicestate.Ready && !w.registered:
		return "Ready without a registration"
	case m.State == devicestate.Enroll && !w.ticket:
		return "Enroll without a ticket"
	case m.State == devicestate.WebTicket && !m.Memory.Credentials && !m.Renewing:
		return "WebTicket without credentials"
	case m.Renewing && (!w.registered || m.State != devicestate.WebTicket && m.State != devicestate.Enroll):
		return "renewing elsewhere, or without a registration"
	case m.Reconnecting && (m.State == devicestate.Ready || m.State == devicestate.Failed || m.Reason == devicestate.ReasonRefused):
		return "reconnecting where there is nothing to connect to"
	case m.Reconnecting && !m.Memory.Certificate:
		return "reconnecting without a certificate"
	case before.Reconnecting && m.State == devicestate.Failed && h.Event == devicestate.CandidatesExhausted:
		return "a handset that was registered gives up"
	case m.Locked && !m.Memory.UnlockPIN:
		return "locked, and nobody can unlock"
	case before.Locked && h.Event == devicestate.SignOut && m != before:
		return "a locked phone signs out"
	case (h.Event == devicestate.HardReset || h.Event == devicestate.FactoryReset) &&
		(m.State != devicestate.Rebooting || m.Locked || m.Memory.Certificate || m.Memory.Registrar || m.Memory.UnlockPIN):
		return "a reset that keeps something"
	case m.Registered() && !w.registered:
		return "registered without a registration"
	case m.State == devicestate.Failed && (m.From == "" || m.From == devicestate.Failed || m.Code == ""):
		return "Failed without origin or code"
	case m.State != devicestate.Failed && m.Code != "":
		return "a code outside Failed"
	case (m.State == devicestate.SignIn) != (m.Reason != ""):
		return "SignIn without a reason, or a reason elsewhere"
	case m.State == devicestate.Updating && m.From != devicestate.UpdateLookup && m.From != devicestate.UpdateCheck:
		return "Updating that came from nowhere"
	case refused && (m.Memory.Credentials || m.State != devicestate.SignIn || m.Reason != devicestate.ReasonRefused):
		return "a refusal keeps the credentials"
	case refused && !slices.Contains(effects, devicestate.DropCredentials):
		return "a refusal without drop-credentials"
	case h.Event == devicestate.CertificateRefused && m.Memory.Certificate:
		return "a refused certificate is tried again"
	case m.State == devicestate.Failed && before.State != devicestate.Failed && !slices.Contains(effects, devicestate.Report):
		return "a failure that nobody is told"
	case m.State == devicestate.PoweredOff && m != (devicestate.Machine{State: devicestate.PoweredOff}):
		return "memory without power"
	case signedIn(m.State) && !w.addressOwned:
		return "beyond AddressAcquire without an address"
	}
	return ""
}

func signedIn(s devicestate.State) bool {
	return s == devicestate.Register || s == devicestate.Provision || s == devicestate.Ready || s == devicestate.WebTicket
}

// TestBootPaths follows the paths that the design names, each from power on.
func TestBootPaths(t *testing.T) {
	type happening = devicestate.Happening
	cold := []happening{
		{Event: devicestate.PowerOn, Memory: devicestate.Memory{Credentials: true}},
		{Event: devicestate.PolicyAbsent},
		{Event: devicestate.VlanOffered},
		{Event: devicestate.AddressBound},
		{Event: devicestate.UpdateAnswered},
		{Event: devicestate.ClockSet},
		{Event: devicestate.RegistrarFound},
		{Event: devicestate.CredentialsEntered},
		{Event: devicestate.ChainHeld},
		{Event: devicestate.TicketGranted},
		{Event: devicestate.CertificateIssued},
		{Event: devicestate.Registered},
		{Event: devicestate.Provisioned},
		{Event: devicestate.UpdateAnswered},
	}
	warm := []happening{
		{Event: devicestate.PowerOn, Memory: devicestate.Memory{Registrar: true, Certificate: true}},
		{Event: devicestate.PolicyTagged},
		{Event: devicestate.AddressBound},
		{Event: devicestate.UpdateAnswered},
		{Event: devicestate.ClockUnset},
		{Event: devicestate.CertificateFound},
	}
	events := func(base []happening, more ...devicestate.Event) []happening {
		out := slices.Clone(base)
		for _, e := range more {
			out = append(out, happening{Event: e, Code: "test.code"})
		}
		return out
	}
	pinSet := slices.Insert(slices.Clone(cold), len(cold)-2, happening{Event: devicestate.UnlockPINSet})
	for _, tt := range []struct {
		name string
		path []happening
		want devicestate.State
	}{
		{"cold", cold, devicestate.Ready},
		{"warm", events(warm, devicestate.Registered, devicestate.ProvisioningRefused, devicestate.UpdateAnswered), devicestate.Ready},
		{"warm, cached registrar gone", events(warm, devicestate.CandidatesExhausted), devicestate.PoolDiscover},
		{"warm, cached and cold registrars gone", events(warm, devicestate.CandidatesExhausted, devicestate.RegistrarFound,
			devicestate.CertificateFound, devicestate.CandidatesExhausted), devicestate.Failed},
		{"warm, certificate refused", events(warm, devicestate.CertificateRefused), devicestate.SignIn},
		{"wrong PIN", events(cold[:9], devicestate.TicketRefused), devicestate.SignIn},
		{"other user, tried again", events(cold[:9], devicestate.TicketOtherUser, devicestate.Retry), devicestate.SignIn},
		{"ticket refused at enrolment once", events(cold[:10], devicestate.EnrollTicketRefused), devicestate.WebTicket},
		{"ticket refused at enrolment twice", events(cold[:10], devicestate.EnrollTicketRefused,
			devicestate.TicketGranted, devicestate.EnrollTicketRefused), devicestate.Failed},
		{"enrolment failed, tried again", events(cold[:10], devicestate.EnrollFailed, devicestate.Retry), devicestate.WebTicket},
		{"no registrar, tried again", events(cold[:6], devicestate.DiscoveryFailed, devicestate.Retry), devicestate.PoolDiscover},
		{"image before sign-in, rejected", events(cold[:4], devicestate.ImageOffered, devicestate.ImageRejected), devicestate.TimeSync},
		{"image after sign-in, rejected", events(cold[:13], devicestate.ImageOffered, devicestate.ImageRejected), devicestate.Ready},
		{"image stored", events(cold[:13], devicestate.ImageOffered, devicestate.ImageStored, devicestate.Restarted), devicestate.LinkDetect},
		{"signed out by the pool", events(cold, devicestate.SignedOut), devicestate.SignIn},
		{"deactivated by the pool", events(cold, devicestate.Deactivated), devicestate.Register},
		{"update due", events(cold, devicestate.UpdateDue), devicestate.UpdateCheck},
		{"cable pulled while waiting for an address", events(cold[:3], devicestate.CarrierMissing), devicestate.LinkDetect},
		{"connection lost", events(cold, devicestate.ConnectionLost), devicestate.Register},
		{"connection lost, and no registrar found, for ever", events(cold, devicestate.ConnectionLost, devicestate.CandidatesExhausted,
			devicestate.DiscoveryFailed, devicestate.CandidatesExhausted, devicestate.RegistrarFound, devicestate.CertificateFound,
			devicestate.CandidatesExhausted), devicestate.PoolDiscover},
		{"connection lost, then back", events(cold, devicestate.ConnectionLost, devicestate.CandidatesExhausted, devicestate.RegistrarFound,
			devicestate.CertificateFound, devicestate.Registered, devicestate.Provisioned, devicestate.UpdateAnswered), devicestate.Ready},
		{"connection lost, user gone", events(cold, devicestate.ConnectionLost, devicestate.RegistrationRefused), devicestate.Failed},
		{"connection lost, certificate refused", events(cold, devicestate.ConnectionLost, devicestate.CertificateRefused), devicestate.SignIn},
		{"certificate renewed", events(cold, devicestate.CertificateDue, devicestate.TicketGranted, devicestate.CertificateIssued,
			devicestate.AssociationDue), devicestate.Ready},
		{"renewal refused", events(cold, devicestate.CertificateDue, devicestate.TicketRefused), devicestate.SignIn},
		{"renewal in trouble", events(cold, devicestate.CertificateDue, devicestate.TicketGranted, devicestate.EnrollTicketRefused,
			devicestate.TicketGranted, devicestate.EnrollTicketRefused), devicestate.Ready},
		{"hard reset", events(cold, devicestate.HardReset, devicestate.Restarted), devicestate.LinkDetect},
		{"factory reset while it looks for a pool", events(cold[:6], devicestate.FactoryReset, devicestate.Restarted), devicestate.LinkDetect},
		{"locked, nobody signs out", events(pinSet, devicestate.PhoneLock, devicestate.UnlockRefused, devicestate.SignOut), devicestate.Ready},
		{"unlocked, then signed out", events(pinSet, devicestate.PhoneLock, devicestate.PhoneUnlock, devicestate.SignOut), devicestate.SignIn},
		{"locked, the pool signs out", events(pinSet, devicestate.PhoneLock, devicestate.SignedOut), devicestate.SignIn},
		{"power cut", events(cold, devicestate.PowerOff), devicestate.PoweredOff},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := devicestate.Machine{}
			for _, h := range tt.path {
				next, _, err := devicestate.Step(m, h)
				if err != nil {
					t.Fatal(err)
				}
				m = next
			}
			if m.State != tt.want {
				t.Errorf("ends in %s, want %s", m.State, tt.want)
			}
		})
	}
}
