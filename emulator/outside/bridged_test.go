//go:build peers

package outside

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// bridged is a handset on eth0 of a namespace, in preparation.
type bridged struct {
	rig.Options
	t  *testing.T
	in *namespace

	end func() // of the run, by the end of the test

	mu       sync.Mutex
	observed []timeline.Observation
}

// newBridged prepares a handset of litware's first user that is patient: many tests share the computer.
func newBridged(t *testing.T, in *namespace) *bridged {
	t.Helper()
	p := &bridged{t: t, in: in}
	p.Interface, p.Timeout, p.HandsetKey = "eth0", 2*time.Minute, handsetKeys.source()
	p.Credentials = handset.Credentials{Number: "1219", PIN: secret.New("0712")}
	var err error
	if p.Profile, err = configs.LoadProfile(rig.DefaultProfile); err != nil {
		t.Fatal(err)
	}
	p.Profile.DNSTimeout, p.Profile.TimeTimeout = 10*time.Second, 10*time.Second
	p.Profile.ConnectTimeout, p.Profile.TLSTimeout, p.Profile.AnswerTimeout = 30*time.Second, 30*time.Second, 30*time.Second
	p.Observers = append(p.Observers, func(o timeline.Observation) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.observed = append(p.observed, o)
	})
	return p
}

// quick leaves the ARP probe out, and does not wait for a switch that says nothing.
func (p *bridged) quick() *bridged {
	p.Profile.ARPProbe, p.Profile.LLDPWait = 0, 50*time.Millisecond
	return p
}

func (p *bridged) start() *rig.Run {
	p.t.Helper()
	var run *rig.Run
	p.in.do(func() {
		var err error
		if run, err = rig.Start(p.Options); err != nil {
			p.t.Fatal(err)
		}
	})
	p.end = sync.OnceFunc(func() {
		if err := run.Close(); err != nil {
			p.t.Error(err)
		}
	})
	p.t.Cleanup(func() {
		p.end()
		if p.t.Failed() {
			p.t.Log(p.log())
		}
	})
	return run
}

// reach drives a handset until it is in the state, or a failure is reported.
func (p *bridged) reach(state devicestate.State) handset.Outcome {
	p.t.Helper()
	run := p.start()
	ctx, cancel := context.WithTimeout(p.t.Context(), p.Timeout)
	defer cancel()
	if err := run.PowerOn(); err != nil {
		p.t.Fatal(err)
	}
	out, err := run.Handset.Run(ctx, func(m devicestate.Machine) bool { return m.State == state })
	if err != nil {
		p.t.Fatal(err)
	}
	if out.Machine.State != state && !out.Reported {
		p.t.Fatalf("state %s, want %s", out.Machine.State, state)
	}
	return out
}

// boot boots once and signs off.
func (p *bridged) boot() report.Result {
	p.t.Helper()
	run := p.start()
	result := run.Boot(p.t.Context())
	p.end()
	return result
}

func (p *bridged) wantSuccess(result report.Result) {
	p.t.Helper()
	if result.Result != report.Success {
		p.t.Fatalf("%s: %s", result.Code, result.Diagnosis)
	}
}

// saw reports whether the handset observed something of the kind that has every part.
func (p *bridged) saw(kind timeline.Kind, parts ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for _, o := range p.observed {
		for _, part := range parts {
			if !strings.Contains(strings.Join([]string{o.Protocol, o.Peer, o.Code, o.Text}, " "), part) {
				continue next
			}
		}
		if o.Kind == kind {
			return true
		}
	}
	return false
}

// until waits for what the handset observes.
func (p *bridged) until(what string, seen func() bool) {
	p.t.Helper()
	late := soon(p.t)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !seen() {
		select {
		case <-again.C:
		case <-late.Done():
			p.t.Fatalf("no %s", what)
		}
	}
}

func (p *bridged) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, o := range p.observed {
		fmt.Fprintf(&b, "%s %-14s %-10s %-5s %s %s\n", o.At.Format("15:04:05.000"), o.State, o.Kind, o.Protocol, o.Peer, o.Text)
	}
	return b.String()
}
