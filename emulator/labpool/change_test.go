package labpool_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestFaultsLive sets and clears every fault of faults.yaml while one pool runs. The list is in the order of the boot:
// a fault that did not end would change the code of the next.
func TestFaultsLive(t *testing.T) {
	list, err := configs.Faults()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range configs.Labs() {
		t.Run(name, func(t *testing.T) {
			lab, err := configs.LoadLab(name)
			if err != nil {
				t.Fatal(err)
			}
			virtual(t, labpool.Config{Lab: lab}, func(r *room) { r.everyFault(list) })
		})
	}
}

func (r *room) everyFault(list []configs.Fault) {
	t, lab := r.t, r.pool.Lab()
	r.pool.ApplyCableFaults("handset")
	for _, fault := range list {
		r.who = rig.FirstUser(lab, r.profile)
		if fault.SignIn == "password" {
			r.who = handset.Credentials{User: lab.Users[0].Login, Password: secret.New(lab.Users[0].Password)}
		}
		r.must(r.pool.SetFault(fault.Name, ""))
		if got := r.pool.Faults(); len(got) != 1 || got[0].Name != fault.Name {
			t.Errorf("%s: faults %v", fault.Name, got)
		}
		stay := time.Duration(0)
		if strings.HasPrefix(fault.Name, "ready=") {
			stay = 25 * time.Minute // two refreshes of the registration
		}
		result := r.stay(stay)
		if code := fault.CodeIn(lab.Name); result.Code != code {
			t.Errorf("%s: code %q, want %q: %s\n%s", fault.Name, result.Code, code, result.Diagnosis, r.log())
		}
		warned := slices.ContainsFunc(result.Warnings, func(w report.Warning) bool { return w.Code == fault.Warning })
		if fault.Warning != "" && !warned {
			t.Errorf("%s: no warning %s", fault.Name, fault.Warning)
		}
		was, err := r.pool.ClearFault(fault.Name)
		r.must(err)
		if !was || len(r.pool.Faults()) > 0 {
			t.Errorf("%s: faults %v after it was cleared", fault.Name, r.pool.Faults())
		}
	}
	if result := r.boot(); result.Result != report.Success || len(result.Warnings) > 0 {
		t.Errorf("after all faults: %s %s %v\n%s", result.Code, result.Diagnosis, result.Warnings, r.log())
	}
	if n := r.pool.Directory.Attempts(lab.Users[0].SIPAddress); n != 1 {
		t.Errorf("%d wrong PINs are counted, want that of ticket=wrong-pin", n)
	}
}

// TestFaultOfAUser strikes the user who is named and nobody else.
func TestFaultOfAUser(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		r.must(r.pool.SetFault("ticket=pin-locked", "second"))
		r.must(r.pool.SetFault("ticket=wrong-pin", "kenmyer@litwareinc.com"))
		r.must(r.pool.SetFault("ticket=wrong-pin", "second")) // in place of the former
		got := r.pool.Faults()
		if len(got) != 2 || got[0].User != "sip:second@litwareinc.com" || got[1].User != "sip:second@litwareinc.com" {
			t.Errorf("faults %v", got)
		}
		if result := r.boot(); result.Result != report.Success {
			t.Errorf("%s: %s", result.Code, result.Diagnosis)
		}
		for _, bad := range []struct {
			fault, user string
			want        error
		}{
			{"ticket=wrong-pin", "nobody", directory.ErrNobody},
			{"dns=silent", "1219", labpool.ErrNotHere},
			{"dns=silnt", "", faults.ErrUnknown},
		} {
			if err := r.pool.SetFault(bad.fault, bad.user); !errors.Is(err, bad.want) {
				t.Errorf("%s of %q: %v", bad.fault, bad.user, err)
			}
		}
		if was, err := r.pool.ClearFault("dns=silent"); was || err != nil {
			t.Errorf("a fault that is not set is cleared: %v, %v", was, err)
		}
	})
}

func TestFaultsAtTheStart(t *testing.T) {
	for _, bad := range []labpool.Config{
		{Faults: []string{"register=nonsense"}},
		{Faults: []string{"web=slow:3"}},
		{Faults: []string{"dns=silent"}, Services: &labpool.Services{}},
	} {
		pool, err := labpool.Start(bad)
		if err == nil {
			t.Errorf("%v: started", bad.Faults)
			pool.Close()
			continue
		}
		if !strings.Contains(err.Error(), strings.Split(bad.Faults[0], ":")[0]) {
			t.Errorf("%v: %v", bad.Faults, err)
		}
	}
	virtual(t, labpool.Config{Faults: []string{"ticket=wrong-pin"}}, func(r *room) { // the lab's first user
		if result := r.boot(); result.Code != "ticket.refused" {
			t.Errorf("%s: %s", result.Code, result.Diagnosis)
		}
	})
}

// TestFaultsThatMiss: a pool on the computer's own sockets without the network's services says what it cannot break.
func TestFaultsThatMiss(t *testing.T) {
	cable := ethernet.NewHost(ethernet.HostOptions{Listen: netip.MustParseAddr("127.0.0.1"), Port: func(string, uint16) uint16 { return 0 }})
	defer cable.Close()
	pool, err := labpool.Start(labpool.Config{Cable: cable, Services: &labpool.Services{}, NewKey: prepared(8)})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	list, err := configs.Faults()
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range list {
		stage, _, _ := strings.Cut(fault.Name, "=")
		missing := slices.Contains([]string{"link", "vlan", "address", "dns", "time", "discovery"}, stage) || fault.Name == "update=refused"
		err := pool.SetFault(fault.Name, "")
		if missing != errors.Is(err, labpool.ErrNotHere) || !missing && err != nil {
			t.Errorf("%s: %v", fault.Name, err)
		}
		if _, err := pool.ClearFault(fault.Name); err != nil {
			t.Errorf("%s: %v", fault.Name, err)
		}
	}
}

// TestPortsKeepTheirNumbers: what a fault closes opens again where it was.
func TestPortsKeepTheirNumbers(t *testing.T) {
	cable := ethernet.NewHost(ethernet.HostOptions{Listen: netip.MustParseAddr("127.0.0.1"), Port: func(string, uint16) uint16 { return 0 }})
	defer cable.Close()
	pool, err := labpool.Start(labpool.Config{
		Cable: cable, Services: &labpool.Services{Inform: true}, SIPTCP: true, Faults: []string{"web=refused", "register=refused"}, NewKey: prepared(8),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	tcp := func(want bool) {
		t.Helper()
		for _, at := range pool.Endpoints() {
			if at.Service == labpool.ServiceDHCP {
				continue
			}
			conn, err := net.Dial("tcp", at.Address.String())
			if (err == nil) != want {
				t.Errorf("%s %s: %v", at.Service, at.Address, err)
			}
			if err == nil {
				conn.Close()
			}
		}
	}
	before := pool.Endpoints()
	if len(before) != 5 {
		t.Errorf("endpoints %v", before)
	}
	tcp(false)
	for _, name := range []string{"web=refused", "register=refused"} {
		if _, err := pool.ClearFault(name); err != nil {
			t.Fatal(err)
		}
	}
	tcp(true)
	for _, on := range []bool{false, true} {
		if err := pool.ChangeRegistrar(func(r *configs.Registrar) { r.EnableDHCPServer = on }); err != nil {
			t.Fatal(err)
		}
	}
	if after := pool.Endpoints(); !slices.Equal(after, before) {
		t.Errorf("endpoints %v, before %v", after, before)
	}
}

// TestEnableDHCPServer: with it off discovery by DHCP stops, with it on again it goes on.
func TestEnableDHCPServer(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		for _, on := range []bool{true, false, true} {
			r.must(r.pool.ChangeRegistrar(func(c *configs.Registrar) { c.EnableDHCPServer = on }))
			want := ""
			if !on {
				want = "discovery.no-certprov-url"
			}
			if result := r.boot(); result.Code != want {
				t.Errorf("EnableDHCPServer %v: code %q, want %q: %s\n%s", on, result.Code, want, result.Diagnosis, r.log())
			}
		}
	})
}

// TestBothAnswerInform: with EnableDHCPServer on a registrar answers beside the enterprise DHCP server.
func TestBothAnswerInform(t *testing.T) {
	lab, err := configs.LoadLab("contoso")
	if err != nil {
		t.Fatal(err)
	}
	virtual(t, labpool.Config{Lab: lab}, func(r *room) {
		for _, on := range []bool{true, false} {
			r.must(r.pool.ChangeRegistrar(func(c *configs.Registrar) { c.EnableDHCPServer = on }))
			before := uint64(0)
			if all := r.pool.History.All(0); len(all) > 0 {
				before = all[len(all)-1].Seq
			}
			if result := r.boot(); result.Result != report.Success {
				t.Errorf("%s: %s", result.Code, result.Diagnosis)
			}
			acks := 0
			informed := false
			for _, e := range r.pool.History.All(before) {
				informed = informed || strings.HasPrefix(e.Text, "INFORM")
				if informed && e.Kind == timeline.Sent && strings.HasPrefix(e.Text, "ACK") {
					acks++
				}
			}
			if want := map[bool]int{true: 3, false: 1}[on]; acks != want { // two front ends and the DHCP server
				t.Errorf("EnableDHCPServer %v: %d answers to INFORM, want %d", on, acks, want)
			}
		}
	})
}

func TestWebServicesChange(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		for code, change := range map[string]func(*configs.WebServices){
			"ticket.pin-not-offered": func(w *configs.WebServices) { w.UsePINAuth = false },
			"chain.off":              func(w *configs.WebServices) { w.EnableCertChainDownload = false },
		} {
			before := r.pool.WebServices()
			r.must(r.pool.ChangeWebServices(change))
			if result := r.boot(); result.Code != code {
				t.Errorf("code %q, want %q: %s", result.Code, code, result.Diagnosis)
			}
			r.must(r.pool.ChangeWebServices(func(w *configs.WebServices) { *w = before }))
		}
		if result := r.boot(); result.Result != report.Success {
			t.Errorf("%s: %s", result.Code, result.Diagnosis)
		}
	})
}

// TestExpirationChange: the next REGISTER is granted what the configuration says then.
func TestExpirationChange(t *testing.T) {
	virtual(t, labpool.Config{}, func(r *room) {
		r.must(r.pool.ChangeRegistrar(func(c *configs.Registrar) {
			c.MinEndpointExpiration, c.DefaultEndpointExpiration, c.MaxEndpointExpiration = 60, 120, 120
		}))
		r.during(func(ctx context.Context) {
			one, err := r.pool.AwaitRegistered(ctx, "1219")
			r.must(err)
			if left := one.Expires.Sub(one.Since); left != 2*time.Minute {
				t.Errorf("%v were granted, want 2m", left)
			}
			r.must(r.pool.ChangeRegistrar(func(c *configs.Registrar) { c.MaxEndpointExpiration, c.DefaultEndpointExpiration = 300, 300 }))
			time.Sleep(95 * time.Second) // virtual: the handset refreshes 30 s before the end
			synctest.Wait()
			again, err := r.pool.AwaitRegistered(ctx, "1219")
			r.must(err)
			if again.Since != one.Since || again.Expires.Sub(one.Expires) < 200*time.Second {
				t.Errorf("registered since %v until %v, before since %v until %v", again.Since, again.Expires, one.Since, one.Expires)
			}
		})
	})
}

func TestChangesAfterTheEnd(t *testing.T) {
	pool, err := labpool.Start(labpool.Config{NewKey: prepared(8)})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	if err := pool.SetFault("register=503", ""); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	if err := pool.ChangeRegistrar(func(r *configs.Registrar) { r.EnableDHCPServer = false }); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	if err := pool.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}
