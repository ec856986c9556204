package devicestate

import (
	"fmt"
	"slices"
)

// Reason says why the handset waits for credentials.
type Reason string

// The reasons.
const (
	ReasonStart     Reason = "start"
	ReasonRefused   Reason = "refused"
	ReasonSignedOut Reason = "signed-out"
)

// Memory is what the handset holds, as far as transitions depend on it.
type Memory struct {
	Registrar   bool // registrar and certificate URL from flash, not given up in this boot
	Certificate bool // certificate in flash, not refused since it was stored
	Credentials bool // PIN or password, not consumed
	UnlockPIN   bool // in flash
}

// Machine is the whole state of the boot. The zero Machine is powered off.
type Machine struct {
	State  State
	Reason Reason // in SignIn
	From   State  // where Failed or Updating came from
	Code   Code   // in Failed
	Memory Memory

	ReEnrolled bool // the ticket was refused once at enrolment since credentials were entered, or a renewal began
	Renewing   bool // WebTicket and Enroll renew the certificate of a handset that stays signed in
	// Reconnecting is a handset that was registered, and goes on trying until it is again.
	Reconnecting bool
	Locked       bool // the phone: nobody can sign out before the unlock PIN is entered
}

// Happening is an event with what it brings along.
type Happening struct {
	Event  Event
	Code   Code   // of a failure
	Memory Memory // PowerOn and Restarted: what flash and user bring
}

// Refusal names a pair of state and event that the machine does not take.
type Refusal struct {
	State State
	Event Event
	Name  RefusalName
}

// RefusalName is one of the reasons for a [Refusal].
type RefusalName string

// The named refusals.
const (
	RefusedPoweredOff RefusalName = "powered-off"   // nothing but PowerOn reaches a handset without power
	RefusedStale      RefusalName = "stale"         // the answer to something that this state does not ask
	RefusedOn         RefusalName = "already-on"    // PowerOn with power on
	RefusedNoPIN      RefusalName = "no-unlock-pin" // nobody can unlock a phone without one
)

func (r *Refusal) Error() string {
	return fmt.Sprintf("event %s is refused in state %s: %s", r.Event, r.State, r.Name)
}

// Step names the next state and what has to be done, or returns a [*Refusal] and m unchanged. It depends on its
// arguments alone.
func Step(m Machine, h Happening) (Machine, []Effect, error) {
	before := m
	if m.State == "" {
		m.State = PoweredOff
	}
	for i := range table {
		row := &table[i]
		if row.On != h.Event || !row.matches(m) {
			continue
		}
		return row.take(m, h), slices.Clone(row.Effects), nil
	}
	return before, nil, &Refusal{m.State, h.Event, refusalName(m.State, h.Event)}
}

func refusalName(s State, e Event) RefusalName {
	switch {
	case s == PoweredOff:
		return RefusedPoweredOff
	case e == PowerOn:
		return RefusedOn
	case s == Ready && e == PhoneLock:
		return RefusedNoPIN
	}
	return RefusedStale
}

func (r *Row) matches(m Machine) bool {
	if r.From == Any {
		return m.State != PoweredOff && (r.When == nil || r.When.holds(m))
	}
	return r.From == m.State && (r.When == nil || r.When.holds(m))
}

func (r *Row) take(m Machine, h Happening) Machine {
	from := m.State
	switch r.To {
	case Same:
		return r.stay(m, h)
	case Origin:
		m.State = m.From
	default:
		m.State = r.To
	}
	switch h.Event {
	case PowerOn, Restarted:
		m.Memory = h.Memory
		m.ReEnrolled, m.Locked = false, false
	case PowerOff:
		return Machine{State: PoweredOff}
	case CredentialsEntered:
		m.Memory.Credentials = true
		m.ReEnrolled = false
	case CertificateIssued:
		m.Memory.Certificate = true
	case EnrollTicketRefused:
		m.ReEnrolled = true
	case CertificateDue:
		m.Renewing, m.ReEnrolled = true, false
	case ConnectionLost, Redirected, Deactivated:
		m.Reconnecting = true
	case LeaseLost:
		m.Reconnecting = m.Reconnecting || from == Ready
	}
	m = r.remember(m)
	m.Renewing = m.Renewing && (m.State == WebTicket || m.State == Enroll)
	m.Reason, m.Code = r.Reason, ""
	if m.State == SignIn && m.Reason == "" {
		m.Reason = ReasonStart
	}
	m.Reconnecting = m.Reconnecting && m.reconnects()
	switch m.State {
	case Failed:
		m.From, m.Code = from, h.Code
	case Updating:
		m.From = from
	case Rebooting:
	default:
		m.From = ""
	}
	return m
}

// stay takes what changes within a state.
func (r *Row) stay(m Machine, h Happening) Machine {
	switch h.Event {
	case UnlockPINSet:
		m.Memory.UnlockPIN = true
	case PhoneLock:
		m.Locked = true
	case PhoneUnlock:
		m.Locked = false
	}
	return m
}

// remember takes what the effects do to the memory.
func (r *Row) remember(m Machine) Machine {
	for _, effect := range r.Effects {
		switch effect {
		case DropCredentials:
			m.Memory.Credentials = false
		case MarkRefused:
			m.Memory.Certificate = false
		case EraseSignIn:
			m.Memory.Certificate, m.Locked = false, false
		case EraseUser, EraseFlash:
			m.Memory, m.Locked = Memory{Credentials: m.Memory.Credentials}, false
		case ForgetRegistrar:
			m.Memory.Registrar = false
		case StoreRegistrar:
			m.Memory.Registrar = true
		}
	}
	return m
}

// reconnects reports whether the state is one on the way back to Ready.
func (m Machine) reconnects() bool {
	switch m.State {
	case AddressAcquire, UpdateLookup, TimeSync:
		return m.Memory.Certificate
	case Register, PoolDiscover, Provision, UpdateCheck:
		return true
	case SignIn:
		return m.Reason == ReasonStart
	}
	return false
}

// Registered reports whether the handset is registered with the pool: it is Ready, on its last steps there, or away from
// it for a moment.
func (m Machine) Registered() bool {
	switch m.State {
	case Provision, UpdateCheck, Ready:
		return true
	case Updating:
		return m.From == UpdateCheck
	}
	return m.Renewing
}
