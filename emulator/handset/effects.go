package handset

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// signOffTime bounds un-SUBSCRIBE, REGISTER Expires: 0 and the TLS close together.
const signOffTime = 3 * time.Second

func (h *Handset) perform(effect devicestate.Effect) error {
	switch effect {
	case devicestate.TagFrames:
		h.tagFrames()
	case devicestate.UntagFrames:
		h.station.ClearAddress()
		h.station.SetTag(ethernet.Tag{})
	case devicestate.ReleaseLease:
		return h.releaseLease()
	case devicestate.DeclineLease:
		return h.declineLease()
	case devicestate.DropLease:
		h.station.ClearAddress()
		h.ram.lease = nil
	case devicestate.SetClock:
		h.flash.ClockOffset, h.flash.ClockKept = h.clockOffset, true
		return h.save()
	case devicestate.StoreChain:
		return h.storeChain()
	case devicestate.StoreIdentity:
		id := h.ram.identity
		h.flash.SIPAddress, h.flash.Number, h.flash.Login = id.sip, h.ram.credentials.Number, h.ram.credentials.User
		h.flash.Refused = nil
		if id.form != "" {
			h.flash.PINForm = string(id.form)
		}
		return h.save()
	case devicestate.StoreCertificate:
		return h.storeCertificate()
	case devicestate.StoreRegistrar:
		return h.storeRegistrar()
	case devicestate.StoreImage:
		h.flash.PreviousProfile, h.flash.Profile = h.profile.Name, h.ram.image.profile
		return h.save()
	case devicestate.MarkRefused:
		h.flash.CertificateRefused = true
		return h.save()
	case devicestate.EraseSignIn:
		h.flash.EraseSignIn()
		h.out.LineURI = ""
		return h.save()
	case devicestate.EraseUser:
		h.flash.EraseUser()
		return h.asNew()
	case devicestate.EraseFlash:
		h.flash, h.profile = devicestate.Flash{}, h.model
		return h.asNew()
	case devicestate.StoreUnlockPIN:
		return h.storeUnlockPIN()
	case devicestate.ForgetRegistrar:
		h.ram.candidates = nil
	case devicestate.BackOff:
		h.backOff()
	case devicestate.HoldBack:
		return h.holdBack()
	case devicestate.DropCredentials:
		h.ram.credentials = Credentials{Number: h.ram.credentials.Number, User: h.ram.credentials.User}
	case devicestate.DropTicket:
		h.ram.ticket = nil
		if h.ram.web != nil {
			h.ram.web.close()
			h.ram.web = nil
		}
	case devicestate.RenewAssociation:
		h.ram.sip.renew = true
	case devicestate.PostponeRenewal:
		h.postponeRenewal()
	case devicestate.Deregister:
		ctx, cancel := context.WithTimeout(context.Background(), signOffTime)
		defer cancel()
		if err := h.deregister(ctx); err != nil {
			h.note("signing off: %v", err)
		}
	case devicestate.CloseConnection:
		h.closeRegistration()
	case devicestate.LoseMemory:
		h.closeConnections()
		h.ram = memory{credentials: h.ram.credentials, visited: map[devicestate.State]bool{}, used: time.Now()}
	case devicestate.Report:
		h.reported = true
	default:
		return fmt.Errorf("effect %q is not known", effect)
	}
	return nil
}

// asNew is what a reset does besides flash: nothing is known of the pool, the clock stands at its cold date, and the user
// has to enter again who he is.
func (h *Handset) asNew() error {
	h.clockOffset, h.clockSynced = time.Until(h.profile.ColdDate), false
	h.ram.credentials = h.entered
	h.out.LineURI, h.out.CertificateURL, h.out.URLSource, h.out.Registrar = "", "", "", ""
	return h.save()
}

func (h *Handset) save() error {
	h.flash.Version = devicestate.FlashVersion
	if err := h.store.Save(h.flash); err != nil {
		return &FlashError{err}
	}
	return nil
}

func (h *Handset) storeChain() error {
	if len(h.ram.chain) == 0 {
		return nil
	}
	h.flash.Chain = nil
	for _, c := range h.ram.chain {
		h.flash.Chain = append(h.flash.Chain, c.Raw)
	}
	h.ram.anchors, h.ram.chain = h.ram.chain, nil
	return h.save()
}

func (h *Handset) storeCertificate() error {
	key, err := x509.MarshalPKCS8PrivateKey(h.ram.enrolling)
	if err != nil {
		return fmt.Errorf("private key: %w", err)
	}
	h.flash.Certificate, h.flash.Key, h.flash.CertificateRefused = h.ram.certificate, key, false
	h.ram.key, h.ram.enrolling, h.ram.certificate, h.ram.certificateDue = h.ram.enrolling, nil, nil, time.Time{}
	return h.save()
}

// openVisit begins the record of a stay and shows the glass.
func (h *Handset) openVisit(event devicestate.Event) {
	glass, ok := h.profile.Glass[string(event)] // a question that the user has said yes to
	if !ok {
		glass, _ = h.profile.TextFor(h.shown())
	}
	h.skipped, h.failure = false, keepFailure(h.machine, h.failure)
	left := ""
	if n := len(h.out.Visits); n > 0 {
		left = h.out.Visits[n-1].Outcome
	}
	h.out.Visits = append(boundVisits(h.out.Visits), Visit{State: h.machine.State, Entered: time.Now(), Glass: glass})
	h.observe(timeline.Observation{
		Kind: timeline.Transition, Text: string(h.machine.State), Code: string(h.machine.Code),
		Fields: []timeline.Field{
			{Name: timeline.FieldGlass, Value: glass.Text},
			{Name: timeline.FieldProvenance, Value: string(glass.Provenance)},
			{Name: timeline.FieldOutcome, Value: left},
		},
	})
}

// maxVisits bounds what is remembered of a handset that is on for months.
const maxVisits = 1000

// boundVisits makes room for one more: of those after the boot the oldest goes.
func boundVisits(list []Visit) []Visit {
	if len(list) < maxVisits {
		return list
	}
	at := 1 + slices.IndexFunc(list, func(v Visit) bool { return v.State == devicestate.Ready })
	at = min(at, len(list)-1)
	return slices.Delete(list, at, at+1)
}

// shown is the state and code whose text the glass has. A refusal is shown where the user is asked again; a certificate is
// renewed without a word to the user, and until a lost connection is there again the glass says so (inferred).
func (h *Handset) shown() (devicestate.State, devicestate.Code) {
	m := h.machine
	switch {
	case m.Renewing:
		return devicestate.Ready, ""
	case m.State == devicestate.SignIn && m.Reason == devicestate.ReasonRefused && h.failure != nil:
		return m.State, h.failure.Code
	case m.Reconnecting && !m.Registered():
		return m.State, devicestate.NewCode(devicestate.StageReady, "connection-lost")
	}
	return m.State, m.Code
}

// keepFailure drops the last failure when the boot has got past it.
func keepFailure(m devicestate.Machine, f *Failure) *Failure {
	if m.State == devicestate.Failed || m.State == devicestate.SignIn || m.Reconnecting {
		return f
	}
	return nil
}

func (h *Handset) closeVisit(event devicestate.Event, after devicestate.Machine) {
	n := len(h.out.Visits)
	if n == 0 || after.State == h.machine.State {
		return
	}
	visit := &h.out.Visits[n-1]
	visit.Duration = time.Since(visit.Entered)
	switch {
	case h.reported || failedEvents[event]:
		visit.Outcome = "failed"
	case h.skipped:
		visit.Outcome = "skipped"
	default:
		visit.Outcome = "ok"
	}
}

var failedEvents = map[devicestate.Event]bool{
	devicestate.CandidatesExhausted: true, devicestate.EnrollTicketRefused: true, devicestate.ImageRejected: true,
	devicestate.ClockUnset: true, devicestate.ProvisioningRefused: true, devicestate.VlanSilent: true,
	devicestate.ConnectionLost: true,
}

func (h *Handset) rebooting() (devicestate.Event, *Failure) {
	h.announcing.leave()
	h.startImage()
	h.clockSynced = h.flash.ClockKept
	return devicestate.Restarted, nil
}

// startImage takes the firmware that an update left in flash, unless it is for another model.
func (h *Handset) startImage() {
	name := h.flash.Profile
	if name == "" || name == h.profile.Name {
		return
	}
	profile, err := loadProfile(name)
	switch {
	case err != nil:
		h.note("the image in flash does not load, the old one is kept: %v", err)
	case profile.Model != h.profile.Model:
		h.note("the image in flash is for another model: %s", name)
	default:
		h.profile = profile
		return
	}
	h.flash.Profile = h.profile.Name
}
