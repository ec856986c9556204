// Package report gives the result of a boot in every output form, and explains failure codes.
package report

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
)

// Schema is the version of the JSON form of [Result].
const Schema = "lpe.boot/1"

// Verdict is the cmdlet's Result.
type Verdict string

// The verdicts.
const (
	Success Verdict = "Success"
	Failure Verdict = "Failure"
)

// Outcomes of a stay in a state.
const (
	OK      = "ok"
	Skipped = "skipped"
	Failed  = "failed"
)

// Result is what a boot gave. The first six fields are those of Test-CsPhoneBootstrap (handset.md §7.1, §7.3).
type Result struct {
	TargetURI  string  `json:"TargetUri"` // certificate provisioning URL, empty when none was found
	TargetFQDN string  `json:"TargetFqdn"`
	Result     Verdict `json:"Result"`
	Latency    Latency `json:"Latency"` // from PowerOn to Ready or to the failure
	Error      string  `json:"Error"`
	Diagnosis  string  `json:"Diagnosis"`

	Schema          string            `json:"schema"`          // filled in when written
	TargetURISource string            `json:"targetUriSource"` // option43, target, sts-uri, default-path or flash
	TargetAddress   string            `json:"targetAddress"`   // of the one front end that was tried, empty: what DNS gave
	Code            string            `json:"code"`            // failure code, empty on success
	Stage           devicestate.Stage `json:"stage"`           // where it failed, empty on success
	State           devicestate.State `json:"state"`           // where the handset was at the end
	Warnings        []Warning         `json:"warnings"`
	User            User              `json:"user"`
	Handset         Handset           `json:"handset"`
	Certificate     *Certificate      `json:"certificate"` // null: none
	States          []State           `json:"states"`
	Probes          []Probe           `json:"probes"` // what was looked at after a failure
}

// Stayed is how long the handset had been at the end in a state that it does not stay in when all is well, 0 if it was Ready
// or Failed.
func (r Result) Stayed() time.Duration {
	n := len(r.States)
	if n == 0 || r.Result == Success || r.State == devicestate.Failed {
		return 0
	}
	return time.Duration(r.States[n-1].Duration)
}

// Warning is something wrong that did not stop the boot.
type Warning struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// User is what the pool told of the user, empty before it did.
type User struct {
	SIPAddress string `json:"sipAddress"`
	LineURI    string `json:"lineUri"`
}

// Handset is the handset that booted.
type Handset struct {
	Profile   string `json:"profile"`
	Firmware  string `json:"firmware"`
	MAC       string `json:"mac"` // 00-04-F2-00-01-76
	UserAgent string `json:"userAgent"`
	EPID      string `json:"epid"` // empty before enrolment
}

// Certificate is the handset's client certificate.
type Certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}

// State is one stay in a state, in order.
type State struct {
	State    devicestate.State `json:"state"`
	Entered  Time              `json:"entered"`
	Duration Seconds           `json:"duration"`
	Outcome  string            `json:"outcome"` // ok, skipped or failed
	Glass    configs.GlassText `json:"glass"`
}

// Latency is a duration that is written as the cmdlet writes it: hh:mm:ss.fffffff.
type Latency time.Duration

// String returns hours, minutes and seconds with seven decimals (100 ns); negative values count as 0.
func (l Latency) String() string {
	ticks := max(int64(l), 0) / 100
	const second = 10_000_000
	return fmt.Sprintf("%02d:%02d:%02d.%07d", ticks/(3600*second), ticks/(60*second)%60, ticks/second%60, ticks%second)
}

// MarshalText returns the same as String.
func (l Latency) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Time is written as RFC 3339 in UTC with milliseconds.
type Time struct{ time.Time }

// MarshalJSON writes a JSON string.
func (t Time) MarshalJSON() ([]byte, error) {
	return json.Marshal(t.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
}

// Seconds is a duration that is written as a JSON number of seconds with milliseconds.
type Seconds time.Duration

// MarshalJSON writes a JSON number.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(s).Seconds()), nil
}
