package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/manage"
)

// managed is a pool in this process, and its ready file.
func managed(t *testing.T) (pool *labpool.Pool, server *manage.Server, ready string) {
	t.Helper()
	cable := ethernet.NewPipe(ethernet.Options{})
	pool, err := labpool.Start(labpool.Config{Cable: cable})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	token := manage.NewToken()
	if server, err = manage.Start(manage.Config{Pool: pool, Listener: listener, Token: token}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), pool.Close(), cable.Close()); err != nil {
			t.Error(err)
		}
	})
	ready = filepath.Join(t.TempDir(), "pool.json")
	if err := (manage.Ready{Lab: "litware", ManagementURL: server.URL(), Token: token}).Write(ready); err != nil {
		t.Fatal(err)
	}
	return pool, server, ready
}

// poolSystem is a process with LPE_POOL and standard input, without a terminal.
func poolSystem(ready, input string, out, errs *bytes.Buffer) system {
	sys := quietSystem(out, errs)
	sys.in = strings.NewReader(input)
	sys.env = func(name string) string { return map[string]string{"LPE_POOL": ready}[name] }
	return sys
}

// TestPoolCommands runs every command that asks a pool, in order, against one pool.
func TestPoolCommands(t *testing.T) {
	pool, _, ready := managed(t)
	pinFile := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pinFile, []byte("860714\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const when = `20\d\d-\d\d-\d\dT\S+Z`
	for _, c := range []struct {
		line, input string
		exit        int
		want        string // pattern of the output, of the error if there is no output
	}{
		{"users", "", 0, `(?s)^SipAddress : sip:kenmyer@litwareinc\.com\nLineUri    : tel:\+12065551219;ext=1219\nEnabled    : True\n\nSipAddress : `},
		{"users -o json", "", 0, `(?s)^\[\n  \{\n    "SipAddress": "sip:kenmyer@litwareinc\.com",`},
		{"user 1219", "", 0, `^SipAddress : sip:kenmyer@litwareinc\.com\nLineUri    : tel:\+12065551219;ext=1219\nEnabled    : True\n$`},
		{"user nobody", "", 2, `^lpe: "nobody": no user has this`},
		{"user 12065551230", "", 2, `several users have this number.*shared-a.*shared-b`},
		{"user", "", 2, `lpe pool user USER \[flags\] does not take 0 arguments`},
		{"pin 1219", "", 0, `^IsPinSet          : True\nIsLockedOut       : False\nLastPinChange     : ` + when + `\nPinExpirationTime :\n$`},
		{"pin locked", "", 0, `IsLockedOut       : True\n`},
		{"unlock locked", "", 0, `IsLockedOut       : False\n`},
		{"set-pin 1219", "860713\n", 0, `^IsPinSet          : True\n`},
		{"set-pin 1219", "", 2, `a PIN is 4 to 24 digits`},
		{"set-pin 1219", "123456", 2, `does not meet the PIN policy`},
		{"set-pin 1219", strings.Repeat("8", 2000), 2, `more than 1024 bytes`},
		{"set-pin 1219 860713", "", 2, `does not take 2 arguments`},
		{"set-pin 1219 --pin-file " + pinFile, "", 0, `^IsPinSet          : True\n`},
		{"set-pin 1219 --pin-file none", "", 2, `--pin-file: .*none`},
		{"disable 1219 -o json", "", 0, `"Enabled": false`},
		{"enable 1219", "", 0, `Enabled    : True`},

		{"registrar", "", 0, `^EnableDHCPServer          : True\nDefaultEndpointExpiration : 600\nMinEndpointExpiration     : 300\nMaxEndpointExpiration     : 900\nMaxEndpointsPerUser       : 8\n$`},
		{"registrar --enable-dhcp-server=false --max-endpoints-per-user 2 --max-endpoint-expiration 800", "", 0, `^EnableDHCPServer          : False\nDefaultEndpointExpiration : 600\nMinEndpointExpiration     : 300\nMaxEndpointExpiration     : 800\nMaxEndpointsPerUser       : 2\n$`},
		{"registrar --enable-dhcp-server --min-endpoint-expiration 200 --default-endpoint-expiration 500", "", 0, `^EnableDHCPServer          : True\nDefaultEndpointExpiration : 500\nMinEndpointExpiration     : 200\n`},
		{"registrar --min-endpoint-expiration 700", "", 2, `DefaultEndpointExpiration: 500 s is not between`},
		{"registrar --max-endpoints-per-user 0", "", 2, `MaxEndpointsPerUser: 0 is not in the range`},
		{"registrar --max-endpoints-per-user many", "", 2, `invalid argument "many"`},
		{"web-services", "", 0, `^UsePinAuth              : True\nUseCertificateAuth      : True\nUseWindowsAuth          : True\nEnableCertChainDownload : True\n$`},
		{"web-services --use-pin-auth=false --use-certificate-auth=false --use-windows-auth=false --enable-cert-chain-download=false", "", 0, `^UsePinAuth              : False\nUseCertificateAuth      : False\nUseWindowsAuth          : False\nEnableCertChainDownload : False\n$`},
		{"web-services --use-windows-auth", "", 0, `UseWindowsAuth          : True`},

		{"registrations", "", 0, `^$`},
		{"registrations -o json", "", 0, `^\[\]\n$`},
		{"registrations --drop-sa", "", 0, `^$`},
		{"certificates -o json", "", 0, `^\[\]\n$`},
		{"certificates revoke 1219", "", 0, `^$`},
		{"certificates revoke 1219 0b0e0a9e-6cb0-594f-a8b3-4b55f358cbc1 -o json", "", 0, `^\[\]\n$`},
		{"certificates revoke nobody", "", 2, `no user has this`},
		{"certificates nobody", "", 2, `does not take 1 arguments`},

		{"fault", "", 0, `^$`},
		{"fault set register=503:2", "", 0, `^fault       : register=503:2\ndescription : The registrar answers 503`},
		{"fault set ticket=wrong-pin --user second", "", 0, `fault       : ticket=wrong-pin\nuser        : sip:second@litwareinc\.com\n`},
		{"fault set ticket=wrong-pin --user nobody", "", 2, `no user has this`},
		{"fault set register=nonsense", "", 2, `fault register=nonsense is not known, see 'lpe boot --list-faults'`},
		{"fault set nonsense", "", 2, `stage=kind expected`},
		{"fault set link=no-carrier", "", 2, `nothing to strike in this pool: no station is known as a handset`},
		{"fault set", "", 2, `does not take 0 arguments`},
		{"fault -o json", "", 0, `(?s)"fault": "register=503:2".*"fault": "ticket=wrong-pin"`},
		{"fault clear register=503", "", 0, `^fault       : ticket=wrong-pin\n`},
		{"fault clear register=503", "", 2, `fault register=503 is not set`},
		{"fault clear", "", 0, `^$`},

		{"await 1219 registered --timeout 1ms", "", 1, `^lpe: after 1ms: sip:kenmyer@litwareinc\.com is not registered, but nothing was seen of him`},
		{"await 1219 asleep", "", 2, `state "asleep" is not one of`},
		{"await 1219 registered --timeout 0s", "", 2, `--timeout must be more than 0`},
		{"await 1219 registered --timeout 2h", "", 2, `timeout "2h0m0s" is no duration of at most 1h`},
		{"await 1219", "", 2, `does not take 1 arguments`},
		{"deregister 1219 rejected", "", 1, `no endpoint of the user is registered`},
		{"deregister 1219 fired", "", 2, `event "fired" is not one of`},
		{"notify 1219 presence", "", 1, `no endpoint of the user is registered`},
		{"notify 1219 presence --body-file none", "", 2, `--body-file: .*none`},
		{"notify 1219 presence --body-file -", strings.Repeat("x", 70<<10), 2, `standard input has more than`},

		{"history", "", 0, `(?m)^` + when + ` note     lab +fault register=503:2 is set$`},
		{"history 1219", "", 0, `^` + when + ` note     manage +sip:kenmyer@litwareinc\.com: a new PIN is set \[sip:kenmyer@litwareinc\.com\]\n`},
		{"history second", "", 0, `^$`},
		{"history nobody", "", 2, `no user has this`},
		{"history -o json", "", 0, `"text": "sip:kenmyer@litwareinc\.com: disabled"`},
		{"users -o xml", "", 2, `-o takes list or json`},
	} {
		var out, errs bytes.Buffer
		exit := run(t.Context(), append([]string{"pool"}, strings.Fields(c.line)...), poolSystem(ready, c.input, &out, &errs))
		said := out.String()
		if c.exit != 0 {
			said = errs.String()
		}
		if exit != c.exit || !regexp.MustCompile(c.want).MatchString(said) || (c.exit == 0) != (errs.Len() == 0) || c.exit != 0 && out.Len() > 0 {
			t.Errorf("lpe pool %s: exit %d, want %d and %s\n%s%s", c.line, exit, c.exit, c.want, &out, &errs)
		}
		if strings.Contains(out.String()+errs.String(), "86071") && !strings.Contains(c.line, "86071") {
			t.Errorf("lpe pool %s shows the PIN:\n%s%s", c.line, &out, &errs)
		}
		if strings.HasSuffix(c.line, "-o json") && exit == 0 && !json.Valid(out.Bytes()) {
			t.Errorf("lpe pool %s: %s", c.line, &out)
		}
	}
	if user, refused := pool.Directory.SignIn("1219", "860714", pool.History.All(0)[0].At); refused != nil {
		t.Errorf("%+v, %v", user, refused)
	}
}

// TestPoolNotThere: whatever is wrong with the way to the pool is told in a sentence.
func TestPoolNotThere(t *testing.T) {
	_, server, ready := managed(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, err := os.ReadFile(ready)
	if err != nil {
		t.Fatal(err)
	}
	stale := write("stale.json", regexp.MustCompile(`"token": ".`).ReplaceAllString(string(good), `"token": "x`))
	var out, errs bytes.Buffer
	ask := func(ctx context.Context, ready string, args ...string) int {
		out.Reset()
		errs.Reset()
		return run(ctx, append([]string{"pool", "users"}, args...), poolSystem(ready, "", &out, &errs))
	}
	for _, c := range []struct {
		ready string
		exit  int
		want  string
	}{
		{"", exitUsage, "give --pool or the variable LPE_POOL"},
		{filepath.Join(dir, "none.json"), exitComputer, "no pool is ready: "},
		{dir, exitUsage, "regular file expected"},
		{write("text.json", "ready"), exitUsage, "text.json is no ready file of a pool"},
		{stale, exitUsage, "the token of the pool's ready file is missing or wrong"},
	} {
		if exit := ask(t.Context(), c.ready); exit != c.exit || !strings.Contains(errs.String(), c.want) || out.Len() > 0 {
			t.Errorf("%s: exit %d, want %d and %s\n%s", c.ready, exit, c.exit, c.want, &errs)
		}
	}
	if exit := ask(t.Context(), "", "--pool", ready); exit != exitSuccess {
		t.Errorf("--pool: exit %d\n%s", exit, &errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if exit := ask(ctx, ready); exit != exitInterrupted || errs.String() != "lpe: interrupted\n" {
		t.Errorf("interrupted: exit %d\n%s", exit, &errs)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if exit := ask(t.Context(), ready); exit != exitComputer || !strings.Contains(errs.String(), "does not answer, is it still running?") {
		t.Errorf("a pool that is gone: exit %d\n%s", exit, &errs)
	}
}
