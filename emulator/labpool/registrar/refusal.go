package registrar

import (
	"fmt"
	"strconv"

	"github.com/phone-edition/lpe/emulator/labpool/strictness"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// Ids of ms-diagnostics ([MS-OCER]; sip.md §4.6). Reasons that no source spells are this lab's own words.
const (
	diagHandshake     = 1000
	diagUnknownUser   = 1003
	diagRouting       = 1007
	diagExtension     = 2057
	diagUnavailable   = 4000
	diagWrongUser     = 4004
	diagEndpoint      = 4010
	diagNoEpid        = 4011
	diagLongEpid      = 4012
	diagEvent         = 4055
	diagUserDisabled  = 4141
	maxEpid           = 64 // bytes; that there is a bound is [MS-OCER] 4012, this one is the lab's
	disabledReason    = "User disabled"
	unavailableReason = "User services are not available"
)

// way is how a wrong request is answered.
type way struct {
	status  int // 0: not at all
	reason  string
	diag    int // of ms-diagnostics, 0: none
	text    string
	extra   []sipmessage.Header
	dropped string // for the table, when there is no answer: what happens instead
	with    string // for the table: what else is in the answer
}

// String tells the answer as docs/strictness.md shows it.
func (w way) String() string {
	if w.status == 0 {
		return w.dropped
	}
	text := fmt.Sprintf("%d %s", w.status, w.reason)
	if w.diag != 0 {
		text += fmt.Sprintf(", ms-diagnostics %d", w.diag)
	}
	for _, h := range w.extra {
		text += ", " + h.Name + ": " + h.Value
	}
	if w.with != "" {
		text += ", " + w.with
	}
	return text
}

// check is one row of the strictness table with its answer.
type check struct {
	strictness.Check
	way way
}

func newCheck(name, wrong string, w way, source string) check {
	return check{strictness.Check{Stage: "register", Name: name, Wrong: wrong, Refusal: w.String(), Source: source}, w}
}

// of is the same check in another stage.
func (c check) of(stage string) check {
	c.Stage = stage
	return c
}

// refuse is the verdict on one message. The detail goes to the timeline, never to the handset.
func (c check) refuse(format string, args ...any) *refusal {
	return &refusal{check: c, detail: fmt.Sprintf(format, args...)}
}

// refusal is a wrong message, why it is wrong, and the answer to it.
type refusal struct {
	check
	detail string

	contentType string // of the body, if the answer has one
	body        []byte
}

func (r *refusal) Error() string { return r.Stage + "." + r.Name + ": " + r.detail }

// headers are those that the answer has besides the usual.
func (r *refusal) headers(source string) []sipmessage.Header {
	extra := append([]sipmessage.Header{}, r.way.extra...)
	if r.way.diag != 0 {
		extra = append(extra, diagnostics("ms-diagnostics", r.way.diag, r.way.text, source))
	}
	return extra
}

func diagnostics(name string, id int, reason, source string) sipmessage.Header {
	return sipmessage.Header{Name: name, Value: sipmessage.Diagnostics{ID: id, Reason: reason, Source: source}.String()}
}

func header(name string, value any) sipmessage.Header {
	switch v := value.(type) {
	case int:
		return sipmessage.Header{Name: name, Value: strconv.Itoa(v)}
	default:
		return sipmessage.Header{Name: name, Value: fmt.Sprint(v)}
	}
}
