package directory_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
)

func TestFind(t *testing.T) {
	shared := account("sip:shared@litwareinc.com", "tel:+12065551220", "4482")
	p := newPool(t, configs.PINPolicy{MinPasswordLength: 4}, account(second, "tel:+12065551220;ext=1220", "59377"), shared)
	for text, want := range map[string]string{
		kenmyer: kenmyer, "kenmyer@litwareinc.com": kenmyer, "SIP:KenMyer@LitwareInc.com": kenmyer, " kenmyer@litwareinc.com ": kenmyer,
		"1219": kenmyer, "+12065551219": kenmyer, "12065551219": kenmyer, "1220": second,
		`LITWARE\kenmyer`: kenmyer, `litware\KENMYER`: kenmyer, "kenmyer": kenmyer,
	} {
		if user, err := p.Find(text); err != nil || user.SIPAddress != want {
			t.Errorf("%q is %q, %v; want %s", text, user.SIPAddress, err, want)
		}
	}
	for _, text := range []string{"", "+", "nobody", "9999", "sip:nobody@litwareinc.com", "tel:+12065551219", `LITWARE\`, strings.Repeat("9", 1000)} {
		if user, err := p.Find(text); !errors.Is(err, directory.ErrNobody) || len(err.Error()) > 200 {
			t.Errorf("%q is %q, %v", text, user.SIPAddress, err)
		}
	}
	_, err := p.Find("12065551220")
	if !errors.Is(err, directory.ErrSeveral) || !strings.Contains(err.Error(), second) || !strings.Contains(err.Error(), shared.SIPAddress) {
		t.Errorf("a shared number: %v", err)
	}
}

// TestStrike: a state that a fault gives outlives what an administrator does, and ends without a trace.
func TestStrike(t *testing.T) {
	for reason, want := range map[directory.Reason]string{
		directory.IncorrectPIN: "IncorrectPin", directory.UserDoesNotExist: "UserDoesNotExist", directory.UserPINAccountLocked: "UserPinAccountLocked",
		directory.PINNotSet: "PinNotSet", directory.PINExpired: "PinExpired", directory.UserPINDisabled: "UserPinAccountDisabled",
		directory.NonUniqueUser: "NonUniqueUser",
	} {
		t.Run(want, func(t *testing.T) {
			p := newPool(t, configs.PINPolicy{})
			before := p.info(kenmyer)
			p.must(p.Strike(kenmyer, reason, true))
			p.dial("1219", pin, want)
			p.must(p.SetPIN(kenmyer, pin))
			p.must(p.Unlock(kenmyer))
			p.must(p.Enable(kenmyer))
			p.dial("1219", pin, want)
			if user, err := p.Find("1219"); err != nil || user.Enabled == (reason == directory.UserPINDisabled) || (user.LineURI == "") != (reason == directory.UserDoesNotExist) {
				t.Errorf("%+v, %v", user, err)
			}
			during := p.info(kenmyer)
			if during.Set == (reason == directory.PINNotSet) || during.LockedOut != (reason == directory.UserPINAccountLocked) ||
				during.Expires.IsZero() == (reason == directory.PINExpired) {
				t.Errorf("%+v", during)
			}
			p.must(p.Strike(kenmyer, reason, false))
			p.dial("1219", pin, kenmyer)
			if after := p.info(kenmyer); after != before {
				t.Errorf("%+v, before %+v", after, before)
			}
		})
	}
}

func TestPINInfo(t *testing.T) {
	p := newPool(t, configs.PINPolicy{PINLifetime: 30, MaximumLogonAttempts: 1}, account(second, "tel:+12065551220", ""))
	began := p.now
	if got := p.info(second); got != (directory.PINInfo{}) {
		t.Errorf("without a PIN: %+v", got)
	}
	if got, want := p.info(kenmyer), (directory.PINInfo{Set: true, Changed: began, Expires: began.AddDate(0, 0, 30)}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	p.dial("1219", wrong, "IncorrectPin")
	if !p.info(kenmyer).LockedOut {
		t.Error("not locked out after the last attempt")
	}
	p.now = p.now.Add(time.Hour)
	if p.info(kenmyer).LockedOut {
		t.Error("locked out for more than an hour")
	}
	p.must(p.Lock(kenmyer))
	p.must(p.SetPIN(kenmyer, pin))
	if got, want := p.info(kenmyer), (directory.PINInfo{Set: true, LockedOut: true, Changed: p.now, Expires: p.now.AddDate(0, 0, 30)}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	p.must(p.Unlock(kenmyer))
	if p.info(kenmyer).LockedOut {
		t.Error("locked out after an unlock")
	}
}

func (p *pool) info(sip string) directory.PINInfo {
	p.t.Helper()
	info, err := p.PINInfo(sip)
	p.must(err)
	return info
}
