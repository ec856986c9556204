package devicestate

// Event names something that happened to the handset.
type Event string

// The events, grouped by the state that they belong to.
const (
	PowerOn  Event = "PowerOn"
	PowerOff Event = "PowerOff"
	Retry    Event = "Retry" // the user tries again after a failure
	Reboot   Event = "Reboot"
	SignOut  Event = "SignOut" // the user signs out (Switch User)

	HardReset     Event = "HardReset"     // * and # held at power-on, and confirmed
	FactoryReset  Event = "FactoryReset"  // 4 and 6 held at power-on, and confirmed
	UnlockPINSet  Event = "UnlockPINSet"  // by the user, when the phone asks for one
	PhoneLock     Event = "PhoneLock"     // by the user, or because nobody has used the phone for long
	PhoneUnlock   Event = "PhoneUnlock"   // the unlock PIN was entered
	UnlockRefused Event = "UnlockRefused" // another one was

	CarrierMissing Event = "CarrierMissing"
	PolicyTagged   Event = "PolicyTagged"   // LLDP-MED voice policy with T=1
	PolicyUntagged Event = "PolicyUntagged" // LLDP-MED voice policy with T=0
	PolicyAbsent   Event = "PolicyAbsent"   // no voice policy in time

	VlanOffered Event = "VlanOffered" // lease with sub-option 10
	VlanAbsent  Event = "VlanAbsent"  // lease without it
	VlanSilent  Event = "VlanSilent"  // no answer

	AddressBound      Event = "AddressBound"
	AddressUnanswered Event = "AddressUnanswered"
	AddressConflict   Event = "AddressConflict"
	LeaseLost         Event = "LeaseLost" // refused when it was to be renewed, or over

	ImageOffered   Event = "ImageOffered"
	UpdateAnswered Event = "UpdateAnswered" // no image, or no answer
	ImageStored    Event = "ImageStored"
	ImageRejected  Event = "ImageRejected" // download failed or unknown image
	Restarted      Event = "Restarted"

	ClockSet   Event = "ClockSet"
	ClockUnset Event = "ClockUnset"

	RegistrarFound  Event = "RegistrarFound" // registrar and certificate URL
	DiscoveryFailed Event = "DiscoveryFailed"

	CertificateFound   Event = "CertificateFound" // in flash, not refused
	CredentialsEntered Event = "CredentialsEntered"

	ChainHeld   Event = "ChainHeld" // downloaded, given, in flash, or not needed
	ChainFailed Event = "ChainFailed"

	TicketGranted   Event = "TicketGranted"
	TicketRefused   Event = "TicketRefused"
	TicketOtherUser Event = "TicketOtherUser"
	TicketFailed    Event = "TicketFailed"

	CertificateIssued   Event = "CertificateIssued"
	EnrollTicketRefused Event = "EnrollTicketRefused"
	EnrollFailed        Event = "EnrollFailed"

	Registered          Event = "Registered"
	CandidatesExhausted Event = "CandidatesExhausted"
	RegistrationRefused Event = "RegistrationRefused" // of a handset that was registered: the user is none any more
	CertificateRefused  Event = "CertificateRefused"
	Provisioned         Event = "Provisioned"
	ProvisioningRefused Event = "ProvisioningRefused" // noted, the boot goes on
	SignedOut           Event = "SignedOut"           // by the pool: rejected or unregistered
	Deactivated         Event = "Deactivated"         // by the pool: register again
	UpdateDue           Event = "UpdateDue"           // 24 h since the last query
	ProvisioningDue     Event = "ProvisioningDue"     // a day has gone, or the registrar had lost the registration
	ConnectionLost      Event = "ConnectionLost"
	Redirected          Event = "Redirected"     // a registrar sends the registered handset elsewhere
	AssociationDue      Event = "AssociationDue" // the security association is to be made anew
	CertificateDue      Event = "CertificateDue" // the certificate is to be renewed
)

// Events lists every event.
func Events() []Event {
	return []Event{
		PowerOn, PowerOff, Retry, Reboot, SignOut,
		HardReset, FactoryReset, UnlockPINSet, PhoneLock, PhoneUnlock, UnlockRefused,
		CarrierMissing, PolicyTagged, PolicyUntagged, PolicyAbsent,
		VlanOffered, VlanAbsent, VlanSilent,
		AddressBound, AddressUnanswered, AddressConflict, LeaseLost,
		ImageOffered, UpdateAnswered, ImageStored, ImageRejected, Restarted,
		ClockSet, ClockUnset,
		RegistrarFound, DiscoveryFailed,
		CertificateFound, CredentialsEntered,
		ChainHeld, ChainFailed,
		TicketGranted, TicketRefused, TicketOtherUser, TicketFailed,
		CertificateIssued, EnrollTicketRefused, EnrollFailed,
		Registered, CandidatesExhausted, RegistrationRefused, CertificateRefused,
		Provisioned, ProvisioningRefused,
		SignedOut, Deactivated, UpdateDue, ProvisioningDue,
		ConnectionLost, Redirected, AssociationDue, CertificateDue,
	}
}

// Effect names what the driver has to do in answer to an event, before the work of the new state begins.
type Effect string

// The effects.
const (
	TagFrames        Effect = "tag-frames"        // send and receive in the voice VLAN
	UntagFrames      Effect = "untag-frames"      // back to the native VLAN
	ReleaseLease     Effect = "release-lease"     // DHCPRELEASE, address removed
	DeclineLease     Effect = "decline-lease"     // DHCPDECLINE, address not used
	DropLease        Effect = "drop-lease"        // address removed, nobody is told
	SetClock         Effect = "set-clock"         //
	StoreChain       Effect = "store-chain"       // to flash
	StoreIdentity    Effect = "store-identity"    // user, epid and PIN form, to flash
	StoreCertificate Effect = "store-certificate" // certificate and key, to flash
	StoreRegistrar   Effect = "store-registrar"   // registrar and certificate URL that worked, to flash
	StoreImage       Effect = "store-image"       // new image, the old one is kept, to flash
	MarkRefused      Effect = "mark-refused"      // flash keeps the certificate, marked refused
	EraseSignIn      Effect = "erase-sign-in"     // user, certificate and key leave flash; chain, registrar, epid stay
	EraseUser        Effect = "erase-user"        // all leaves flash but the firmware's images
	EraseFlash       Effect = "erase-flash"       // all leaves flash, the firmware that the handset came with is back
	StoreUnlockPIN   Effect = "store-unlock-pin"  // to flash
	ForgetRegistrar  Effect = "forget-registrar"  // the cached registrar is not tried again in this boot
	BackOff          Effect = "back-off"          // the next registration waits, the longer the more have failed
	HoldBack         Effect = "hold-back"         // the refused credentials are not sent again, to flash
	DropCredentials  Effect = "drop-credentials"  // PIN or password is consumed
	DropTicket       Effect = "drop-ticket"       //
	RenewAssociation Effect = "renew-association" // the next thing to do on the connection
	PostponeRenewal  Effect = "postpone-renewal"  // of the certificate, by the profile
	Deregister       Effect = "deregister"        // un-SUBSCRIBE, REGISTER Expires: 0
	CloseConnection  Effect = "close-connection"  //
	LoseMemory       Effect = "lose-memory"       // everything that is not in flash
	Report           Effect = "report"            // tell the user: refused or failed
)
