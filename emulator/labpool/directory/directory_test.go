package directory_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/protocol/ntlm"
)

const (
	kenmyer = "sip:kenmyer@litwareinc.com"
	second  = "sip:second@litwareinc.com"
	pin     = "90417"
	wrong   = "90418"
)

// pool is a directory with a clock of its own.
type pool struct {
	*directory.Directory
	t   *testing.T
	now time.Time
}

func account(sip, line, pin string) directory.Account {
	return directory.Account{User: directory.User{SIPAddress: sip, LineURI: line, Enabled: true}, PIN: pin}
}

func newPool(t *testing.T, policy configs.PINPolicy, more ...directory.Account) *pool {
	t.Helper()
	p := &pool{t: t, now: time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC)}
	first := account(kenmyer, "tel:+12065551219;ext=1219", pin)
	first.Login, first.Password = `LITWARE\kenmyer`, "Litware-2013"
	var err error
	p.Directory, err = directory.New(directory.Config{
		Policy: policy, Accounts: append([]directory.Account{first}, more...), Now: func() time.Time { return p.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dial signs in and expects a user or a reason.
func (p *pool) dial(number, pin, want string) {
	p.t.Helper()
	user, refused := p.SignIn(number, pin, p.now)
	got := user.SIPAddress
	if refused != nil {
		got = string(refused.Reason)
	}
	if got != want {
		p.t.Errorf("%s at %v: %s, want %s", number, p.now.Format(time.TimeOnly), got, want)
	}
}

func (p *pool) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestNumbers(t *testing.T) {
	p := newPool(t, configs.PINPolicy{}, account(second, "tel:+12065551220", "59377"), account("sip:none@litwareinc.com", "", ""))
	for _, number := range []string{"12065551219", "+12065551219", "1219", "+1219"} {
		p.dial(number, pin, kenmyer)
	}
	p.dial("+12065551220", "59377", second)
	for _, number := range []string{"", "+", "219", "120655512191219", "tel:+12065551219"} {
		p.dial(number, pin, "UserDoesNotExist")
	}
}

// Two users with one number are told apart by their PINs; with one PIN too, neither signs in.
func TestSharedNumber(t *testing.T) {
	const a, b, line = "sip:shared-a@litwareinc.com", "sip:shared-b@litwareinc.com", "tel:+12065551230"
	p := newPool(t, configs.PINPolicy{MinPasswordLength: 4}, account(a, line, "4482"), account(b, line, "7719"))
	p.dial("12065551230", "4482", a)
	p.dial("12065551230", "7719", b)
	p.dial("12065551230", "1111", "IncorrectPin")
	if p.Attempts(a) != 1 || p.Attempts(b) != 1 {
		t.Errorf("a wrong PIN is counted %d and %d times", p.Attempts(a), p.Attempts(b))
	}
	p.must(p.SetPIN(b, "4482"))
	p.dial("12065551230", "4482", "NonUniqueUser")
}

func TestStates(t *testing.T) {
	p := newPool(t, configs.PINPolicy{}, account(second, "tel:+12065551220", ""))
	p.dial("12065551220", pin, "PinNotSet")
	p.must(p.SetPIN(second, "59377"))
	p.dial("12065551220", "59377", second)

	p.must(p.Disable(kenmyer))
	p.dial("1219", pin, "UserPinAccountDisabled")
	p.must(p.Enable(kenmyer))
	p.must(p.Lock(kenmyer))
	p.dial("1219", pin, "UserPinAccountLocked")
	p.dial("1219", wrong, "UserPinAccountLocked")
	p.must(p.Unlock(kenmyer))
	p.dial("1219", pin, kenmyer)
	if n := p.Attempts(kenmyer); n != 0 {
		t.Errorf("%d wrong PINs are counted, none was a matter of the PIN", n)
	}

	for name, change := range map[string]func(string) error{
		"Enable": p.Enable, "Disable": p.Disable, "Lock": p.Lock, "Unlock": p.Unlock,
		"Strike":  func(sip string) error { return p.Strike(sip, directory.PINExpired, true) },
		"PINInfo": func(sip string) error { _, err := p.PINInfo(sip); return err },
	} {
		var refused *directory.PINError
		if err := change("sip:nobody@litwareinc.com"); !errors.As(err, &refused) || refused.Reason != directory.UserDoesNotExist {
			t.Errorf("%s of nobody: %v", name, err)
		}
	}
}

func TestPINLifetime(t *testing.T) {
	p := newPool(t, configs.PINPolicy{PINLifetime: 30})
	p.now = p.now.AddDate(0, 0, 30)
	p.dial("1219", pin, kenmyer)
	p.now = p.now.Add(time.Second)
	p.dial("1219", pin, "PinExpired")
	p.must(p.SetPIN(kenmyer, pin))
	p.dial("1219", pin, kenmyer)
}

// Limits by the policy's length (handset.md §4, PIN policy). At the local limit even the right PIN is refused for an
// hour; then the local count begins anew and the global one goes on, until somebody unlocks.
func TestLockout(t *testing.T) {
	for _, c := range []struct {
		policy        configs.PINPolicy
		local, global int
	}{
		{configs.PINPolicy{MinPasswordLength: 4}, 10, 100},
		{configs.PINPolicy{}, 25, 1000},
		{configs.PINPolicy{MinPasswordLength: 5}, 25, 1000},
		{configs.PINPolicy{MinPasswordLength: 4, MaximumLogonAttempts: 3}, 3, 100},
	} {
		p := newPool(t, c.policy)
		for n := 1; n <= c.global; n++ {
			if n > 1 && (n-1)%c.local == 0 {
				p.dial("1219", pin, "UserPinAccountLocked")
				p.now = p.now.Add(time.Hour - time.Second)
				p.dial("1219", pin, "UserPinAccountLocked")
				p.now = p.now.Add(time.Second)
			}
			p.dial("1219", wrong, "IncorrectPin")
		}
		p.now = p.now.AddDate(1, 0, 0)
		p.dial("1219", pin, "UserPinAccountLocked")
		if n := p.Attempts(kenmyer); n != c.global {
			t.Errorf("%d wrong PINs are counted, want %d", n, c.global)
		}
		p.must(p.Unlock(kenmyer))
		p.dial("1219", pin, kenmyer)
	}
}

// Wrong PINs more than 30 minutes apart, and those before a good sign-in, do not add up to a local lock.
func TestObservationWindow(t *testing.T) {
	p := newPool(t, configs.PINPolicy{MaximumLogonAttempts: 2})
	p.dial("1219", wrong, "IncorrectPin")
	p.now = p.now.Add(30*time.Minute + time.Second)
	p.dial("1219", wrong, "IncorrectPin")
	p.dial("1219", pin, kenmyer)
	p.dial("1219", wrong, "IncorrectPin")
	p.now = p.now.Add(30 * time.Minute)
	p.dial("1219", wrong, "IncorrectPin")
	p.dial("1219", pin, "UserPinAccountLocked")
}

func TestPolicy(t *testing.T) {
	p := newPool(t, configs.PINPolicy{})
	for pin, ok := range map[string]bool{
		"90417": true, "9041": false, "": false, "9041x": false, "11111": false, "91234": false, "98765": false, "12065551219": false,
		"912345678901234567890124": false, "904170417041704170417041": true, "9041704170417041704170417": false,
	} {
		err := p.SetPIN(kenmyer, pin)
		var refused *directory.PINError
		if (err == nil) != ok || err != nil && (!errors.As(err, &refused) || refused.Reason != directory.PINBelowRequirements) {
			t.Errorf("PIN of %d digits: %v", len(pin), err)
		}
	}
	if _, err := directory.New(directory.Config{Accounts: []directory.Account{account(kenmyer, "", "1")}}); err == nil || strings.Contains(err.Error(), `"1"`) {
		t.Errorf("an account with a PIN that does not meet the policy: %v", err)
	}
}

func TestLogin(t *testing.T) {
	p := newPool(t, configs.PINPolicy{})
	p.must(p.Lock(kenmyer))
	if user, ok := p.Login(`litware\KENMYER`, "Litware-2013"); !ok || user.SIPAddress != kenmyer {
		t.Errorf("%+v, %v", user, ok)
	}
	for login, password := range map[string]string{`LITWARE\kenmyer`: "litware-2013", `LITWARE\nobody`: "Litware-2013", "": ""} {
		if user, ok := p.Login(login, password); ok {
			t.Errorf("%q signs %s in", login, user.SIPAddress)
		}
	}
	p.must(p.SetPassword(kenmyer, "Litware-2014"))
	if _, ok := p.Login(`LITWARE\kenmyer`, "Litware-2013"); ok {
		t.Error("the old password is taken")
	}
	if _, ok := p.Login(`LITWARE\kenmyer`, "Litware-2014"); !ok {
		t.Error("the new password is not taken")
	}
	if err := p.SetPassword(second, "Litware-2014"); err == nil {
		t.Error("a user who does not exist has got a password")
	}
	if user, ok := p.BySIP("KENMYER@litwareinc.com"); !ok || user.LineURI != "tel:+12065551219;ext=1219" {
		t.Errorf("%+v, %v", user, ok)
	}
	if _, ok := p.BySIP(second); ok {
		t.Error("a user who does not exist was found")
	}
	if users := p.Users(); len(users) != 1 || users[0].SIPAddress != kenmyer {
		t.Errorf("%+v", users)
	}
}

// Who proves to know the password needs its hash alone; who has no password proves nothing.
func TestProve(t *testing.T) {
	const login = `LITWARE\second`
	without := account(second, "tel:+12065551220", "5937")
	without.Login = login
	p := newPool(t, configs.PINPolicy{MinPasswordLength: 4}, without)
	asked := 0
	yes := func(known ntlm.Key) bool { asked++; return known == ntlm.NTOWFv1("Litware-2013") }
	if user, ok := p.Prove(`litware\kenmyer`, yes); !ok || user.SIPAddress != kenmyer || asked != 1 {
		t.Errorf("%+v, %v, asked %d times", user, ok, asked)
	}
	for _, nobody := range []string{login, `LITWARE\nobody`, ""} {
		if user, ok := p.Prove(nobody, func(ntlm.Key) bool { return true }); ok {
			t.Errorf("%q is %s", nobody, user.SIPAddress)
		}
	}
}

// PIN and password are hashed: no form of the directory shows them.
func TestSecrets(t *testing.T) {
	p := newPool(t, configs.PINPolicy{})
	for _, shown := range []string{fmt.Sprintf("%v", p.Directory), fmt.Sprintf("%+v", p.Directory), fmt.Sprintf("%#v", p.Directory), fmt.Sprint(p.Users())} {
		for _, secret := range []string{pin, "Litware-2013"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%q is shown in %s", secret, shown)
			}
		}
	}
}
