package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
)

// result makes the report of an outcome. runErr is one of flash or of the program, not of the boot.
func (r *Run) result(ctx context.Context, out handset.Outcome, runErr error) report.Result {
	r.ended = runErr
	res := report.Result{
		TargetURI: out.CertificateURL, TargetURISource: out.URLSource, TargetFQDN: out.Registrar,
		Result: report.Failure, Latency: report.Latency(latency(out)), State: out.Waiting,
		User: report.User{SIPAddress: out.SIPAddress, LineURI: out.LineURI},
		Handset: report.Handset{
			Profile: out.Profile.Name, Firmware: out.Profile.Firmware, UserAgent: out.Profile.UserAgent, EPID: out.EPID,
			MAC: strings.ToUpper(strings.ReplaceAll(r.mac.String(), ":", "-")),
		},
	}
	switch t := r.options.Target; {
	case t.Address.IsValid():
		res.TargetAddress = t.Address.String()
	case t.First && len(out.Addresses) > 0:
		res.TargetAddress = out.Addresses[0].String()
	}
	for _, w := range out.Warnings {
		res.Warnings = append(res.Warnings, report.Warning{Code: string(w.Code), Text: w.Text})
	}
	for _, v := range out.Visits {
		res.States = append(res.States, report.State{
			State: v.State, Entered: report.Time{Time: v.Entered}, Duration: report.Seconds(v.Duration), Outcome: v.Outcome, Glass: v.Glass,
		})
	}
	if c := out.Certificate; c != nil {
		res.Certificate = &report.Certificate{
			Subject: c.Subject.String(), Issuer: c.Issuer.String(), NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		}
	}
	if out.Machine.State == devicestate.Ready && runErr == nil {
		res.Result = report.Success
		return res
	}
	code, seen := failureOf(ctx, out, runErr)
	res.Code = string(code)
	res.Stage = stageOf(code, out)
	res.Error, res.Diagnosis = report.Diagnose(code, seen)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && !out.Reported {
		res.Diagnosis = strings.TrimPrefix(strings.TrimRight(res.Diagnosis, ".")+". "+goesOn(out), ". ")
	}
	return res
}

// stageOf is the code's stage; a code of no stage is met in the stage that the handset waits in.
func stageOf(code devicestate.Code, out handset.Outcome) devicestate.Stage {
	switch code {
	case devicestate.CodeInterrupted, devicestate.CodeTimeout, devicestate.CodeRefused, devicestate.CodeInternal, devicestate.CodeNotSaved:
		if out.Waiting == devicestate.Failed {
			return out.Machine.From.Stage()
		}
		return out.Waiting.Stage()
	}
	stage, _, _ := strings.Cut(string(code), ".")
	return devicestate.Stage(stage)
}

// failureOf names the code: what was reported, else the last failure seen in the state it waits in, else that state's
// time-out.
func failureOf(ctx context.Context, out handset.Outcome, runErr error) (devicestate.Code, string) {
	var refusal *devicestate.Refusal
	var flash *handset.FlashError
	switch {
	case errors.As(runErr, &flash):
		return devicestate.CodeNotSaved, runErr.Error()
	case errors.As(runErr, &refusal):
		return devicestate.CodeRefused, refusal.Error()
	case runErr != nil:
		return devicestate.CodeInternal, runErr.Error()
	case out.Machine.Reconnecting && out.Failure != nil:
		return out.Failure.Code, out.Failure.Detail()
	case errors.Is(ctx.Err(), context.Canceled):
		return devicestate.CodeInterrupted, "interrupted in state " + string(out.Waiting)
	case out.Failure != nil:
		return out.Failure.Code, out.Failure.Detail()
	case out.Waiting.Stage() == "":
		return devicestate.CodeTimeout, "the time was over in state " + string(out.Waiting)
	}
	return devicestate.NewCode(out.Waiting.Stage(), "timeout"), "the time of the boot was over in state " + string(out.Waiting)
}

// goesOn says what the hardware would do where the boot was ended.
func goesOn(out handset.Outcome) string {
	p := out.Profile
	if out.Machine.Reconnecting {
		return fmt.Sprintf("The handset goes on trying without end, at the longest every %v.", p.ReconnectMost)
	}
	switch out.Waiting {
	case devicestate.LinkDetect:
		if out.Failure != nil {
			return "The handset goes on waiting for link, without end."
		}
		return fmt.Sprintf("The handset waits %v for a voice policy, then goes on without.", p.LLDPWait)
	case devicestate.AddressAcquire:
		return fmt.Sprintf("The handset goes on asking without end, in rounds of %v.", sum(p.LeaseTimeouts))
	case devicestate.VlanDiscover:
		return fmt.Sprintf("The handset waits %v in all, then goes on without a VLAN.", sum(p.VLANTimeouts))
	case devicestate.PoolDiscover:
		return fmt.Sprintf("The handset waits %v for an answer to INFORM.", sum(p.InformTimeouts))
	case devicestate.SignIn:
		return "The handset waits for somebody to sign in, without end."
	case devicestate.TimeSync:
		return fmt.Sprintf("The handset waits %v for each time server, then goes on with the clock as it is.", p.TimeTimeout)
	case devicestate.UpdateLookup, devicestate.UpdateCheck, devicestate.Updating, devicestate.Provision:
		return fmt.Sprintf("The handset waits %v for each answer, then goes on without.", p.AnswerTimeout)
	case devicestate.PoweredOff, devicestate.Rebooting, devicestate.Failed:
		return ""
	}
	return fmt.Sprintf("The handset waits %v for each answer and tries once more after %v.", p.AnswerTimeout, p.RetryAfter)
}

func sum(list []time.Duration) (total time.Duration) {
	for _, d := range list {
		total += d
	}
	return total
}

// latency runs from PowerOn to Ready or to the failure.
func latency(out handset.Outcome) time.Duration {
	if len(out.Visits) == 0 {
		return 0
	}
	first, last := out.Visits[0], out.Visits[len(out.Visits)-1]
	for _, v := range out.Visits {
		if v.State == devicestate.Ready {
			return v.Entered.Sub(first.Entered)
		}
	}
	if last.State == devicestate.Failed {
		return last.Entered.Sub(first.Entered)
	}
	return last.Entered.Add(last.Duration).Sub(first.Entered)
}
