package credentials_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/credentials"
)

func TestChecks(t *testing.T) {
	for text, good := range map[string]bool{
		"1219": true, "+12065551219": true, "123456789012345": true, "1234567890123456": false, "+0123": false, "": false, "12a": false, "+": false,
	} {
		if err := credentials.CheckNumber(text); (err == nil) != good {
			t.Errorf("number %q: %v", text, err)
		}
	}
	if err := credentials.CheckNumber("tel:+1 (206) 555-1219;ext=1"); err == nil || !strings.HasSuffix(err.Error(), "did you mean +12065551219?") {
		t.Error(err)
	}
	for text, good := range map[string]bool{
		"sip:kenmyer@litwareinc.com": true, "SIP:Ken.Myer@LitwareInc.com": true, "kenmyer@litwareinc.com": false, "sip:kenmyer": false, "sip:a b@c.de": false, "": false,
	} {
		if err := credentials.CheckSIP(text); (err == nil) != good {
			t.Errorf("SIP address %q: %v", text, err)
		}
	}
	for text, good := range map[string]bool{
		"0712": true, " 0712\n": true, "071": false, "07a2": false, "": false, strings.Repeat("1", 24): true, strings.Repeat("1", 25): false,
	} {
		if pin, err := credentials.CheckPIN(text); (err == nil) != good || good && pin.Reveal() != strings.TrimSpace(text) {
			t.Errorf("PIN %q: %v", text, err)
		} else if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the PIN is repeated: %v", err)
		}
	}
}

func usersFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadUsers(t *testing.T) {
	for name, text := range map[string]string{
		"plain":            "1219,0712,sip:kenmyer@litwareinc.com\n+12065551220,4711\n",
		"header":           "Number,PIN,SIP\n1219,0712,sip:kenmyer@litwareinc.com\n+12065551220,4711,\n",
		"spreadsheet":      "\uFEFFnumber,pin,sip\r\n1219,0712,sip:kenmyer@litwareinc.com\r\n+12065551220,4711,\r\n",
		"blanks and lines": "\n 1219 , 0712 , sip:kenmyer@litwareinc.com \n\n+12065551220, 4711",
		"quotes":           "\"1219\",\"0712\",\"sip:kenmyer@litwareinc.com\"\n\"+12065551220\",4711\n",
	} {
		users, err := credentials.ReadUsers(usersFile(t, text))
		if err != nil || len(users) != 2 {
			t.Errorf("%s: %d users, %v", name, len(users), err)
			continue
		}
		first, second := users[0], users[1]
		if first.Number != "1219" || first.PIN.Reveal() != "0712" || first.SIPAddress != "sip:kenmyer@litwareinc.com" ||
			second.Number != "+12065551220" || second.PIN.Reveal() != "4711" || second.SIPAddress != "" || second.Line <= first.Line {
			t.Errorf("%s: %+v", name, users)
		}
	}
}

// Everything wrong is told, with its line, and no PIN.
func TestReadUsersTellsAllProblems(t *testing.T) {
	file := usersFile(t, "number,pin,sip\n1219,0712\n12a,98765x\n1220,4711,kenmyer@litwareinc.com\n+1219,4711\n1221\n1222;1234;\n1223,\"12\"34\n1224,4711,sip:a@b.example\n1225,4711,sip:A@b.example\n1226,1,2,3\nnumber,pin,sip\n")
	_, err := credentials.ReadUsers(file)
	if err == nil {
		t.Fatal("accepted")
	}
	want := []string{
		`3: "12a" is no phone number or extension: 15 digits at most, such as +12065551219 or 1219; a PIN is 4 to 24 digits`,
		`4: "kenmyer@litwareinc.com" is no SIP address, such as sip:kenmyer@litwareinc.com; did you mean sip:kenmyer@litwareinc.com?`,
		`5: 1219 is in line 2 already`,
		`6: number,PIN,SIP address expected, separated by commas; there are 1 fields`,
		`7: number,PIN,SIP address expected, separated by commas; there are 1 fields`,
		`8: extraneous or missing " in quoted-field`,
		`10: sip:a@b.example is in line 9 already`,
		`11: number,PIN,SIP address expected, separated by commas; there are 4 fields`,
		`12: "number" is no phone number or extension: 15 digits at most, such as +12065551219 or 1219; a PIN is 4 to 24 digits; "sip" is no SIP address, such as sip:kenmyer@litwareinc.com`,
	}
	for i, line := range want {
		want[i] = file + ":" + line
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if strings.Contains(strings.ReplaceAll(err.Error(), file, ""), "98765") {
		t.Errorf("a PIN is told:\n%v", err)
	}
}

func TestReadUsersBounds(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "header alone": "number,pin,sip\n", "too many": many(10_001), "too large": strings.Repeat(" ", 4<<20+1), "all wrong": strings.Repeat("x\n", 500),
	} {
		if users, err := credentials.ReadUsers(usersFile(t, text)); err == nil {
			t.Errorf("%s: %d users", name, len(users))
		} else if n := strings.Count(err.Error(), "\n"); n > 100 {
			t.Errorf("%s: %d lines", name, n)
		}
	}
	if users, err := credentials.ReadUsers(usersFile(t, many(10_000))); err != nil || len(users) != 10_000 {
		t.Errorf("%d users, %v", len(users), err)
	}
	if _, err := credentials.ReadUsers(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("an absent file is read")
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d,4711\n", 1000+i)
	}
	return b.String()
}

func TestReadUsersIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no mode
	}
	file := usersFile(t, "1219,0712\n")
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := credentials.ReadUsers(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

// FuzzReadUsers: what is accepted is complete, each user once.
func FuzzReadUsers(f *testing.F) {
	f.Add("number,pin,sip\n1219,0712,sip:kenmyer@litwareinc.com\n")
	f.Add("1219,0712\n\"12\n19\",1\n")
	f.Add("\uFEFF1219;0712")
	f.Fuzz(func(t *testing.T, text string) {
		users, err := credentials.ReadUsers(usersFile(t, text))
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, u := range users {
			_, wrong := credentials.CheckPIN(u.PIN.Reveal())
			if credentials.CheckNumber(u.Number) != nil || wrong != nil || u.SIPAddress != "" && credentials.CheckSIP(u.SIPAddress) != nil || u.Line < 1 {
				t.Errorf("%q gives %+v", text, u)
			}
			number := strings.TrimPrefix(u.Number, "+")
			if seen[number] {
				t.Errorf("%q gives %s twice", text, number)
			}
			seen[number] = true
		}
		if len(users) == 0 {
			t.Errorf("%q gives no user", text)
		}
	})
}
