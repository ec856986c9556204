// Package devicestate is the boot as data: the states a handset passes, the events that move it, one transition
// table, and what survives a reboot. It has no clock and does no input or output.
package devicestate

import "fmt"

// State names where the handset is in its boot. The names are interface: they appear in JSON, scenarios and diagrams.
type State string

// The states, in boot order.
const (
	PoweredOff     State = "PoweredOff"
	LinkDetect     State = "LinkDetect"
	VlanDiscover   State = "VlanDiscover"
	AddressAcquire State = "AddressAcquire"
	UpdateLookup   State = "UpdateLookup"
	TimeSync       State = "TimeSync"
	PoolDiscover   State = "PoolDiscover"
	SignIn         State = "SignIn"
	RootChain      State = "RootChain"
	WebTicket      State = "WebTicket"
	Enroll         State = "Enroll"
	Register       State = "Register"
	Provision      State = "Provision"
	UpdateCheck    State = "UpdateCheck"
	Updating       State = "Updating"
	Rebooting      State = "Rebooting"
	Ready          State = "Ready"
	Failed         State = "Failed"
)

// States lists every state in boot order.
func States() []State {
	return []State{
		PoweredOff, LinkDetect, VlanDiscover, AddressAcquire, UpdateLookup, TimeSync, PoolDiscover, SignIn, RootChain,
		WebTicket, Enroll, Register, Provision, UpdateCheck, Updating, Rebooting, Ready, Failed,
	}
}

// Stage groups states under the name that failure codes and faults use.
type Stage string

// The stages, in boot order.
const (
	StageLink      Stage = "link"
	StageVlan      Stage = "vlan"
	StageAddress   Stage = "address"
	StageUpdate    Stage = "update"
	StageTime      Stage = "time"
	StageDiscovery Stage = "discovery"
	StageSignIn    Stage = "sign-in"
	StageChain     Stage = "chain"
	StageTicket    Stage = "ticket"
	StageEnroll    Stage = "enroll"
	StageRegister  Stage = "register"
	StageProvision Stage = "provision"
	StageReady     Stage = "ready"
)

var stages = map[State]Stage{
	LinkDetect: StageLink, VlanDiscover: StageVlan, AddressAcquire: StageAddress, UpdateLookup: StageUpdate,
	TimeSync: StageTime, PoolDiscover: StageDiscovery, SignIn: StageSignIn, RootChain: StageChain,
	WebTicket: StageTicket, Enroll: StageEnroll, Register: StageRegister, Provision: StageProvision,
	UpdateCheck: StageUpdate, Updating: StageUpdate, Ready: StageReady,
}

// Stage returns the stage of s, empty for PoweredOff, Rebooting and Failed.
func (s State) Stage() Stage { return stages[s] }

// Code is a failure or warning code, `stage.kind`, such as ticket.refused.
type Code string

// NewCode joins a stage and a kind.
func NewCode(stage Stage, kind string) Code { return Code(fmt.Sprintf("%s.%s", stage, kind)) }
