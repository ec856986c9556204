package manage_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/manage"
	"github.com/phone-edition/lpe/emulator/secret"
)

func TestReadyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pool.json")
	ready := manage.Ready{
		Lab: "litware", CA: "/somewhere/ca.pem", Addresses: []manage.Address{{Service: "https", Host: "atl-cs-001.litwareinc.com", Address: "127.0.0.1:40443"}},
		ManagementURL: "http://127.0.0.1:40080", Token: manage.NewToken(),
	}
	if err := ready.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := manage.ReadReady(path)
	ready.Schema = "lpe.pool/1"
	if err != nil || !reflect.DeepEqual(got, ready) || !got.Token.Equal(ready.Token) {
		t.Errorf("%+v, %v; want %+v", got, err, ready)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !contains(text, `"managementUrl": "http://127.0.0.1:40080"`, `"token": "`+ready.Token.Reveal()+`"`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestBadReadyFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pool.json")
	if _, err := manage.ReadReady(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	good := manage.Ready{Lab: "litware", ManagementURL: "http://127.0.0.1:40080", Token: secret.New("tell-nobody")}
	if err := good.Write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{string(text), "", "no whole JSON object"},
		{string(text), "[]", "no JSON object"},
		{"}", "", "no whole JSON object"},
		{`"lab"`, `"lap"`, `no key "lap"`},
		{"lpe.pool/1", "lpe.pool/2", "lpe.pool/1 expected"},
		{"http://127.0.0.1:40080", "", "no management API"},
		{"http://127.0.0.1:40080", "http://192.0.2.1:40080", "loopback"},
		{"http://127.0.0.1:40080", "http://localhost:40080", "loopback"},
		{"http://127.0.0.1:40080", "https://127.0.0.1:40080", "loopback"},
		{"http://127.0.0.1:40080", "http://127.0.0.1", "loopback"},
		{"http://127.0.0.1:40080", "http://127.0.0.1:0", "loopback"},
		{`"tell-nobody"`, `""`, "no token"},
		{`"tell-nobody"`, `4711`, "token is a number"},
		{"litware", strings.Repeat("x", 65<<10), "at most"},
	} {
		bad := strings.Replace(string(text), c.from, c.to, 1)
		if bad == string(text) {
			t.Errorf("%s is not in the file", c.from)
		}
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := manage.ReadReady(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "pool.json") || strings.Contains(err.Error(), "tell-nobody") {
			t.Errorf("%q for %.40q: %v, want %s", c.to, c.from, err, c.want)
		}
	}
}
