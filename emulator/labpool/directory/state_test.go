package directory_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
)

// accounts are those of the lab's file.
func accounts() []directory.Account {
	first := account(kenmyer, "tel:+12065551219;ext=1219", pin)
	first.Login, first.Password = `LITWARE\kenmyer`, "Litware-2013"
	return []directory.Account{
		first,
		account(second, "tel:+12065551220;ext=1220", pin),
		account("sip:third@litwareinc.com", "tel:+12065551221;ext=1221", pin),
	}
}

func kept(t *testing.T, path string, list []directory.Account) *directory.Directory {
	t.Helper()
	d, err := directory.New(directory.Config{Accounts: list, Lab: "litware", State: path, Unsaved: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func signIn(d *directory.Directory, number, pin string) directory.Reason {
	if _, err := d.SignIn(number, pin, time.Now()); err != nil {
		return err.Reason
	}
	return ""
}

func TestStateSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	first := kept(t, path, accounts())
	const other = "71946"
	for _, err := range []error{
		first.SetPIN(kenmyer, other), first.Disable(second), first.Lock("sip:third@litwareinc.com"),
		first.SetPassword(kenmyer, "Litware-2099"),
		first.SetLineURI("sip:third@litwareinc.com", "tel:+12065551299"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		signIn(first, "1219", wrong)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), pin) || strings.Contains(string(text), other) || strings.Contains(string(text), "Litware-20") {
		t.Errorf("a PIN or password is in the file: %v", err)
	}

	d := kept(t, path, accounts())
	for _, c := range []struct {
		number, pin string
		want        directory.Reason
	}{
		{"1219", pin, directory.IncorrectPIN},
		{"1219", other, ""},
		{"1220", pin, directory.UserPINDisabled},
		{"12065551299", pin, directory.UserPINAccountLocked},
		{"1221", pin, directory.UserDoesNotExist},
	} {
		if got := signIn(d, c.number, c.pin); got != c.want {
			t.Errorf("%s: %q, want %q", c.number, got, c.want)
		}
	}
	if _, ok := d.Login(`LITWARE\kenmyer`, "Litware-2099"); !ok {
		t.Error("the new password is forgotten")
	}
	if n := d.Attempts(kenmyer); n != 4 {
		t.Errorf("%d wrong PINs, want 4", n)
	}
}

// TestAttemptsSurvive: a restart does not give a guesser new attempts.
func TestAttemptsSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	for n := range 25 { // the limit at five digits
		if got := signIn(kept(t, path, accounts()), "1219", wrong); got != directory.IncorrectPIN {
			t.Fatalf("attempt %d: %s", n+1, got)
		}
	}
	if got := signIn(kept(t, path, accounts()), "1219", pin); got != directory.UserPINAccountLocked {
		t.Errorf("then %q", got)
	}
}

// TestAnEditedAccountBeginsAnew: what somebody has written into the lab's file since counts.
func TestAnEditedAccountBeginsAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	d := kept(t, path, accounts())
	for _, sip := range []string{kenmyer, second} {
		if err := d.SetPIN(sip, "71946"); err != nil {
			t.Fatal(err)
		}
	}
	edited := accounts()[:2]
	edited[0].PIN = "60285"
	edited = append(edited, account("sip:fourth@litwareinc.com", "tel:+12065551224;ext=1224", pin))
	d = kept(t, path, edited)
	for number, pin := range map[string]string{"1219": "60285", "1220": "71946", "1224": pin} {
		if got := signIn(d, number, pin); got != "" {
			t.Errorf("%s: %s", number, got)
		}
	}
	if got := signIn(d, "1221", pin); got != directory.UserDoesNotExist {
		t.Errorf("who is not in the lab's file any more: %q", got)
	}
}

func TestBadState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	kept(t, path, accounts())
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"cut short", string(good[:len(good)/2]), "damaged"},
		{"empty", "", "damaged"},
		{"another version", strings.Replace(string(good), `"version":1`, `"version":2`, 1), "version 2"},
		{"another lab", strings.Replace(string(good), "litware", "contoso", 1), "directory of lab \"contoso\", not of litware"},
		{"too large", strings.Repeat(" ", 16<<20+1), "at most"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := directory.New(directory.Config{Accounts: accounts(), Lab: "litware", State: path})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "directory.json") {
			t.Errorf("%s: %v", c.name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != c.text {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
}

// TestUnsaved: what cannot be written is not done, and an attempt that cannot is told.
func TestUnsaved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var told []error
	d, err := directory.New(directory.Config{
		Policy: configs.PINPolicy{MinPasswordLength: 5}, Accounts: accounts(), Lab: "litware",
		State: filepath.Join(dir, "directory.json"), Unsaved: func(err error) { told = append(told, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the directory was
		t.Fatal(err)
	}
	if err := d.Disable(kenmyer); err == nil {
		t.Error("disabled")
	}
	if err := d.SetPIN(kenmyer, "71946"); err == nil {
		t.Error("PIN set")
	}
	if got := signIn(d, "1219", pin); got != "" || len(told) != 0 {
		t.Errorf("%q, told %v", got, told)
	}
	if got := signIn(d, "1219", wrong); got != directory.IncorrectPIN || len(told) != 1 {
		t.Errorf("%q, told %v", got, told)
	}
}
