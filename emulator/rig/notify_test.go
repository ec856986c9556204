package rig_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const eventSelf = "vnd-microsoft-roaming-self"

// TestBENOTIFYsInOrder sends more notifications than any queue on the way holds; each has a length of its own.
func TestBENOTIFYsInOrder(t *testing.T) {
	const count = 200
	ready(t, nil, func(x *signedIn) {
		result := x.during(func() {
			for i := range count {
				n := registrar.Notification{Event: eventSelf, ContentType: "text/plain", Body: bytes.Repeat([]byte("x"), i+1)}
				if err := x.registrar().Notify(context.Background(), firstSIP, n); err != nil {
					x.t.Fatal(err)
				}
			}
		})
		x.wantSuccess(result)
		got := x.saw(timeline.Note, "BENOTIFY")
		var want []string
		for i := range count {
			want = append(want, fmt.Sprintf("BENOTIFY %s, %d bytes", eventSelf, i+1))
		}
		if !slices.Equal(got, want) {
			x.t.Errorf("%d of %d in order: %q", len(got), count, got)
		}
		received := x.saw(timeline.Received, "BENOTIFY")
		if len(received) != count || received[0] != "BENOTIFY 2 "+eventSelf || received[count-1] != fmt.Sprintf("BENOTIFY %d %s", count+1, eventSelf) {
			x.t.Errorf("received %q", received) // the piggybacked one was number 1
		}
		if sent := x.saw(timeline.Sent, ""); len(sent) != 0 {
			x.t.Errorf("a BENOTIFY is never answered, sent %q", sent)
		}
	})
}

func TestEachNOTIFYIsAnswered(t *testing.T) {
	const count = 20
	ready(t, nil, func(x *signedIn) {
		result := x.during(func() {
			for i := range count {
				p := registrar.Probe{Method: "NOTIFY", Event: "message-summary", ContentType: "text/plain", Body: bytes.Repeat([]byte("x"), i+1)}
				if status, err := x.registrar().Probe(context.Background(), firstSIP, p); status != 200 || err != nil {
					x.t.Fatalf("answered %d, %v\n%s", status, err, x.poolLog())
				}
			}
		})
		x.wantSuccess(result)
		notes := x.saw(timeline.Note, "NOTIFY message-summary")
		for i := range count {
			if want := fmt.Sprintf("NOTIFY message-summary, %d bytes", i+1); i >= len(notes) || notes[i] != want {
				x.t.Fatalf("notes %q, number %d should be %q", notes, i, want)
			}
		}
		// The pool counts an answer in only when its signature and number are right.
		if got := x.poolSaw(timeline.Received, "200 OK to NOTIFY"); len(got) != count {
			x.t.Errorf("%d signed answers\n%s", len(got), x.poolLog())
		}
		if got := x.poolSaw(timeline.Dropped, ""); len(got) != 0 {
			x.t.Errorf("the pool dropped %q", got)
		}
	})
}

// TestRequestsOfThePool holds what the handset answers to each method, provisional responses included: the pool takes
// an answer only if it is signed right.
func TestRequestsOfThePool(t *testing.T) {
	for _, test := range []struct {
		method  string
		status  int
		answers []string
	}{
		{"INVITE", 488, []string{"100 Trying to INVITE 1", "488 Not Acceptable Here to INVITE 1"}},
		{"OPTIONS", 200, []string{"200 OK to OPTIONS 1"}},
		{"NOTIFY", 200, []string{"200 OK to NOTIFY 1"}},
		{"MESSAGE", 405, []string{"405 Method Not Allowed to MESSAGE 1"}},
		{"BENOTIFY", 0, nil},
		{"ACK", 0, nil},
	} {
		t.Run(test.method, func(t *testing.T) {
			ready(t, nil, func(x *signedIn) {
				result := x.during(func() {
					status, err := x.registrar().Probe(context.Background(), firstSIP, registrar.Probe{Method: test.method, Event: eventSelf})
					if status != test.status || err != nil {
						x.t.Errorf("answered %d, %v, want %d\n%s", status, err, test.status, x.poolLog())
					}
				})
				x.wantSuccess(result)
				if got := x.poolSaw(timeline.Received, ""); !haveSuffixes(got, test.answers) {
					x.t.Errorf("verified answers %q, want %q\n%s", got, test.answers, x.poolLog())
				}
				if got := x.poolSaw(timeline.Dropped, ""); len(got) != 0 {
					x.t.Errorf("the pool dropped %q", got)
				}
			})
		})
	}
}

func haveSuffixes(got, want []string) bool {
	return slices.EqualFunc(got, want, strings.HasSuffix)
}

// TestWrongSignatureIsDropped: a request of the pool that is not signed right has no effect and no answer, and the
// handset stays signed in (sip.md §3.4).
func TestWrongSignatureIsDropped(t *testing.T) {
	for _, signing := range []registrar.Signing{registrar.Unsigned, registrar.Spoiled} {
		for _, method := range []string{"NOTIFY", "BENOTIFY", "INVITE"} {
			t.Run(string(signing)+" "+method, func(t *testing.T) {
				ready(t, nil, func(x *signedIn) {
					result := x.during(func() {
						p := registrar.Probe{
							Method: method, Event: "registration-notify", ContentType: "text/registration-event",
							Body: []byte("deregistered;event=rejected"), Signing: signing,
						}
						status, err := x.registrar().Probe(context.Background(), firstSIP, p)
						if status != 0 || (method != "BENOTIFY") != errors.Is(err, registrar.ErrNoAnswer) {
							x.t.Errorf("answered %d, %v", status, err)
						}
						p.Signing, p.Event = registrar.Signed, "message-summary" // the next right one is taken
						p.Method = "NOTIFY"
						if status, err := x.registrar().Probe(context.Background(), firstSIP, p); status != 200 || err != nil {
							x.t.Errorf("then answered %d, %v\n%s", status, err, x.poolLog())
						}
					})
					x.wantSuccess(result)
					if got := x.saw(timeline.Dropped, method+": "); len(got) != 1 {
						x.t.Errorf("dropped %q\n%s", got, x.log())
					}
					if got := x.saw(timeline.Sent, ""); !slices.Equal(got, []string{"200 OK to NOTIFY 1"}) {
						x.t.Errorf("sent %q", got)
					}
				})
			})
		}
	}
}
