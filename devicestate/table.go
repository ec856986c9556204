package devicestate

// Pseudo states of the table.
const (
	Any    State = "*"      // every state with power
	Same   State = "="      // the state it came from
	Origin State = "origin" // the state that Machine.From names
)

// Guard is a condition of a row on the machine before the event.
type Guard struct {
	Name  string
	holds func(Machine) bool
}

var (
	registrarHeld   = &Guard{"registrar and certificate URL in flash", func(m Machine) bool { return m.Memory.Registrar }}
	certificateHeld = &Guard{"certificate in flash, not refused", func(m Machine) bool { return m.Memory.Certificate }}
	firstReEnrol    = &Guard{"first time", func(m Machine) bool { return !m.ReEnrolled }}
	fromEnroll      = &Guard{"from Enroll", func(m Machine) bool { return m.From == Enroll }}
	credentialsUsed = &Guard{"from WebTicket, credentials consumed", func(m Machine) bool {
		return m.From == WebTicket && !m.Memory.Credentials
	}}
	renewing         = &Guard{"renewing the certificate", func(m Machine) bool { return m.Renewing }}
	reconnecting     = &Guard{"reconnecting", func(m Machine) bool { return m.Reconnecting }}
	unlockPINHeld    = &Guard{"unlock PIN in flash", func(m Machine) bool { return m.Memory.UnlockPIN }}
	locked           = &Guard{"locked", func(m Machine) bool { return m.Locked }}
	fromUpdateLookup = &Guard{"from UpdateLookup", func(m Machine) bool { return m.From == UpdateLookup }}
)

// Row is one transition.
type Row struct {
	From    State
	On      Event
	When    *Guard // nil: always
	To      State
	Reason  Reason // of SignIn
	Effects []Effect
	Source  string
}

// Rows returns the transition table. The first row that matches is taken.
func Rows() []Row { return append([]Row(nil), table...) }

const (
	bootOrder   = "handset.md §5.1, device connection process"
	signInOrder = "handset.md §5.1 item 6"
	renewal     = "web-services.md §3.2, §4; that the certificate renews itself is inferred"
	resets      = "handset.md §5.5, §6; that the pool is told nothing is inferred"
	phoneLock   = "handset.md §4, §5.5, phone lock"
	lost        = "discovery.md §1.6; the waiting inferred"
	leaseOver   = "RFC 2131 §4.4.5; that the handset begins again with DHCP is inferred"
	ours        = "inferred, design of this project"
)

var table = []Row{
	{Any, PowerOff, nil, PoweredOff, "", []Effect{LoseMemory}, ours},
	{Any, HardReset, nil, Rebooting, "", []Effect{CloseConnection, EraseUser}, resets},
	{Any, FactoryReset, nil, Rebooting, "", []Effect{CloseConnection, EraseFlash}, resets},
	{Any, SignOut, locked, Same, "", nil, phoneLock},
	{Any, PhoneUnlock, locked, Same, "", nil, phoneLock},
	{Any, UnlockRefused, locked, Same, "", nil, phoneLock},
	{PoweredOff, PowerOn, nil, LinkDetect, "", []Effect{UntagFrames}, bootOrder},

	{LinkDetect, CarrierMissing, nil, Same, "", nil, ours},
	{LinkDetect, PolicyTagged, nil, AddressAcquire, "", []Effect{TagFrames}, "discovery.md §1.1"},
	{LinkDetect, PolicyUntagged, nil, AddressAcquire, "", nil, "discovery.md §1.1, inferred for T=0"},
	{LinkDetect, PolicyAbsent, nil, VlanDiscover, "", nil, "discovery.md §1.1, VLAN topic"},

	{VlanDiscover, VlanOffered, nil, AddressAcquire, "", []Effect{ReleaseLease, TagFrames}, "discovery.md §1.2"},
	{VlanDiscover, VlanAbsent, nil, AddressAcquire, "", nil, "discovery.md §1.2, boot continues"},
	{VlanDiscover, VlanSilent, nil, AddressAcquire, "", nil, "discovery.md §1.2, boot continues"},
	{VlanDiscover, CarrierMissing, nil, LinkDetect, "", nil, ours},

	{AddressAcquire, AddressBound, nil, UpdateLookup, "", nil, bootOrder},
	{AddressAcquire, AddressUnanswered, nil, Same, "", nil, "discovery.md §5, Acquiring IP Address"},
	{AddressAcquire, AddressConflict, nil, Same, "", []Effect{DeclineLease}, "RFC 2131 §3.1 item 5"},
	{AddressAcquire, CarrierMissing, nil, LinkDetect, "", []Effect{UntagFrames}, ours},

	{AddressAcquire, SignOut, reconnecting, AddressAcquire, "", []Effect{EraseSignIn, DropCredentials}, "handset.md §5.5"},

	{UpdateLookup, ImageOffered, nil, Updating, "", nil, bootOrder},
	{UpdateLookup, UpdateAnswered, nil, TimeSync, "", nil, bootOrder},
	{UpdateLookup, SignOut, reconnecting, UpdateLookup, "", []Effect{EraseSignIn, DropCredentials}, "handset.md §5.5"},

	{TimeSync, ClockSet, registrarHeld, SignIn, "", []Effect{SetClock}, "handset.md §5.1 item 5, cache"},
	{TimeSync, ClockUnset, registrarHeld, SignIn, "", nil, "handset.md §5.1 item 5, cache"},
	{TimeSync, ClockSet, nil, PoolDiscover, "", []Effect{SetClock}, "discovery.md §6, position inferred"},
	{TimeSync, ClockUnset, nil, PoolDiscover, "", nil, "discovery.md §6, position inferred"},

	{TimeSync, SignOut, reconnecting, TimeSync, "", []Effect{EraseSignIn, DropCredentials}, "handset.md §5.5"},

	{PoolDiscover, RegistrarFound, nil, SignIn, "", nil, bootOrder},
	{PoolDiscover, DiscoveryFailed, reconnecting, Register, "", nil, "discovery.md §1.6, what worked last"},
	{PoolDiscover, SignOut, reconnecting, SignIn, ReasonSignedOut, []Effect{EraseSignIn, DropCredentials}, "handset.md §5.5"},
	{PoolDiscover, DiscoveryFailed, nil, Failed, "", []Effect{Report}, "discovery.md §4, inferred"},

	{SignIn, CertificateFound, certificateHeld, Register, "", nil, "handset.md §6, persistence"},
	{SignIn, SignOut, reconnecting, SignIn, ReasonSignedOut, []Effect{EraseSignIn, DropCredentials}, "handset.md §5.5"},
	{SignIn, LeaseLost, nil, AddressAcquire, "", []Effect{DropLease}, leaseOver},
	{SignIn, CredentialsEntered, nil, RootChain, "", nil, signInOrder},

	{RootChain, ChainHeld, nil, WebTicket, "", []Effect{StoreChain}, signInOrder},
	{RootChain, ChainFailed, nil, Failed, "", []Effect{Report}, "handset.md §5.2, texts 3 and 4"},

	{WebTicket, TicketGranted, renewing, Enroll, "", nil, renewal},
	{WebTicket, TicketRefused, renewing, SignIn, ReasonRefused, []Effect{MarkRefused, DropCredentials, DropTicket, Deregister, CloseConnection, Report}, renewal},
	{WebTicket, TicketOtherUser, renewing, Ready, "", []Effect{DropTicket, PostponeRenewal}, renewal},
	{WebTicket, TicketFailed, renewing, Ready, "", []Effect{DropTicket, PostponeRenewal}, renewal},
	{WebTicket, SignOut, renewing, SignIn, ReasonSignedOut, []Effect{DropTicket, Deregister, CloseConnection, EraseSignIn, DropCredentials}, "handset.md §5.5"},
	{WebTicket, TicketGranted, nil, Enroll, "", []Effect{StoreIdentity}, signInOrder},
	{WebTicket, TicketRefused, nil, SignIn, ReasonRefused, []Effect{HoldBack, DropCredentials, DropTicket, Report}, "web-services.md §3.4"},
	{WebTicket, TicketOtherUser, nil, Failed, "", []Effect{DropCredentials, DropTicket, Report}, "Test-CsPhoneBootstrap, UserSipAddress"},
	{WebTicket, TicketFailed, nil, Failed, "", []Effect{DropTicket, Report}, "web-services.md §3.4"},

	{Enroll, CertificateIssued, renewing, Ready, "", []Effect{StoreCertificate, DropTicket, RenewAssociation}, renewal},
	{Enroll, CertificateIssued, nil, Register, "", []Effect{StoreCertificate, DropTicket}, signInOrder},
	{Enroll, EnrollTicketRefused, firstReEnrol, WebTicket, "", []Effect{DropTicket}, "web-services.md §4.4"},
	{Enroll, EnrollTicketRefused, renewing, Ready, "", []Effect{DropTicket, PostponeRenewal}, renewal},
	{Enroll, EnrollFailed, renewing, Ready, "", []Effect{DropTicket, PostponeRenewal}, renewal},
	{Enroll, SignOut, renewing, SignIn, ReasonSignedOut, []Effect{DropTicket, Deregister, CloseConnection, EraseSignIn, DropCredentials}, "handset.md §5.5"},
	{Enroll, EnrollTicketRefused, nil, Failed, "", []Effect{DropTicket, Report}, "web-services.md §4.4"},
	{Enroll, EnrollFailed, nil, Failed, "", []Effect{DropTicket, Report}, "web-services.md §4.4"},

	{Register, Registered, nil, Provision, "", []Effect{StoreRegistrar}, bootOrder},
	{Register, RegistrationRefused, nil, Failed, "", []Effect{CloseConnection, Report}, "sip.md §4.6, fatal"},
	{Register, CandidatesExhausted, reconnecting, PoolDiscover, "", []Effect{CloseConnection, ForgetRegistrar, BackOff}, lost},
	{Register, CandidatesExhausted, registrarHeld, PoolDiscover, "", []Effect{CloseConnection, ForgetRegistrar}, "discovery.md §1.6"},
	{Register, CandidatesExhausted, nil, Failed, "", []Effect{CloseConnection, Report}, "discovery.md §1.6"},
	{Register, CertificateRefused, nil, SignIn, ReasonRefused, []Effect{MarkRefused, DropCredentials, CloseConnection, Report}, "handset.md §0 item 10"},
	{Register, LeaseLost, reconnecting, AddressAcquire, "", []Effect{CloseConnection, DropLease}, leaseOver},
	{Register, SignOut, nil, SignIn, ReasonSignedOut, []Effect{Deregister, CloseConnection, EraseSignIn, DropCredentials}, "handset.md §5.5"},

	{Provision, Provisioned, nil, UpdateCheck, "", nil, "handset.md §5.1 item 7"},
	{Provision, UnlockPINSet, nil, Same, "", []Effect{StoreUnlockPIN}, "handset.md §5.1 item 7"},
	{Provision, ProvisioningRefused, nil, UpdateCheck, "", nil, "sip.md §7.3, stays on"},
	{UpdateCheck, ImageOffered, nil, Updating, "", nil, "handset.md §3.2 item 1"},
	{UpdateCheck, UpdateAnswered, nil, Ready, "", nil, "handset.md §3.2 item 1"},

	{Updating, ImageStored, nil, Rebooting, "", []Effect{StoreImage, Deregister, CloseConnection}, "handset.md §3.2 item 4"},
	{Updating, ImageRejected, fromUpdateLookup, TimeSync, "", nil, ours},
	{Updating, ImageRejected, nil, Ready, "", nil, ours},
	{Rebooting, Restarted, nil, LinkDetect, "", []Effect{LoseMemory, UntagFrames}, bootOrder},

	{Ready, PhoneLock, unlockPINHeld, Same, "", nil, phoneLock},
	{Ready, UpdateDue, nil, UpdateCheck, "", nil, "handset.md §3.2 item 1"},
	{Ready, ConnectionLost, nil, Register, "", []Effect{CloseConnection, BackOff}, lost},
	{Ready, LeaseLost, nil, AddressAcquire, "", []Effect{CloseConnection, DropLease}, leaseOver},
	{Ready, Redirected, nil, Register, "", []Effect{CloseConnection}, "handset.md §6, registrar failover"},
	{Provision, ConnectionLost, nil, Register, "", []Effect{CloseConnection, BackOff}, lost},
	{Provision, Redirected, nil, Register, "", []Effect{CloseConnection}, "handset.md §6, registrar failover"},
	{Ready, ProvisioningDue, nil, Provision, "", nil, "sip.md §4.5; the daily one inferred"},
	{Ready, AssociationDue, nil, Same, "", []Effect{RenewAssociation}, "sip.md §1.6"},
	{Ready, CertificateRefused, nil, SignIn, ReasonRefused, []Effect{MarkRefused, DropCredentials, CloseConnection, Report}, "handset.md §0 item 10"},
	{Ready, CertificateDue, nil, WebTicket, "", nil, renewal},
	{Provision, AssociationDue, nil, Same, "", []Effect{RenewAssociation}, "sip.md §1.6"},
	{Provision, CertificateRefused, nil, SignIn, ReasonRefused, []Effect{MarkRefused, DropCredentials, CloseConnection, Report}, "handset.md §0 item 10"},
	{Provision, SignOut, nil, SignIn, ReasonSignedOut, []Effect{Deregister, CloseConnection, EraseSignIn, DropCredentials}, "handset.md §5.5"},
	{Provision, SignedOut, nil, SignIn, ReasonSignedOut, []Effect{Deregister, CloseConnection, EraseSignIn, DropCredentials, Report}, "sip.md §5.4"},
	{Provision, Deactivated, nil, Register, "", []Effect{CloseConnection}, "sip.md §5.4"},
	{UpdateCheck, SignOut, nil, SignIn, ReasonSignedOut, []Effect{Deregister, CloseConnection, EraseSignIn, DropCredentials}, "handset.md §5.5"},
	{UpdateCheck, SignedOut, nil, SignIn, ReasonSignedOut, []Effect{Deregister, CloseConnection, EraseSignIn, DropCredentials, Report}, "sip.md §5.4"},
	{UpdateCheck, Deactivated, nil, Register, "", []Effect{CloseConnection}, "sip.md §5.4"},
	{Ready, SignOut, nil, SignIn, ReasonSignedOut, []Effect{Deregister, CloseConnection, EraseSignIn, DropCredentials}, "handset.md §5.5"},
	{Ready, SignedOut, nil, SignIn, ReasonSignedOut, []Effect{Deregister, CloseConnection, EraseSignIn, DropCredentials, Report}, "sip.md §5.4"},
	{Ready, Deactivated, nil, Register, "", []Effect{CloseConnection}, "sip.md §5.4"},
	{Any, Reboot, nil, Rebooting, "", []Effect{Deregister, CloseConnection}, ours},
	{Failed, LeaseLost, nil, AddressAcquire, "", []Effect{DropLease}, leaseOver},
	{Failed, Retry, credentialsUsed, SignIn, ReasonRefused, nil, ours},
	{Failed, Retry, fromEnroll, WebTicket, "", nil, "the ticket is gone; " + ours},
	{Failed, Retry, nil, Origin, "", nil, ours},
}
