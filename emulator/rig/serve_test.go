package rig_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/beevik/ntp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

func picked() *uint16 { return new(uint16) }

func serveOptions(t *testing.T, lab string) rig.ServeOptions {
	t.Helper()
	l, err := configs.LoadLab(lab)
	if err != nil {
		t.Fatal(err)
	}
	return rig.ServeOptions{Lab: l, Listen: loopback, PoolKey: prepared.Source()}
}

func mustServe(t *testing.T, o rig.ServeOptions) *rig.Served {
	t.Helper()
	s, err := rig.Serve(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// at is the first address of a service, the one that handsets are told.
func at(t *testing.T, s *rig.Served, service string) netip.AddrPort {
	t.Helper()
	for _, a := range s.Ready.Addresses {
		if a.Service == service {
			return netip.MustParseAddrPort(a.Address)
		}
	}
	t.Fatalf("no %s in %+v", service, s.Ready.Addresses)
	return netip.AddrPort{}
}

// readCA reads the CA certificates that the ready file names.
func readCA(t *testing.T, path string) []*x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// bootAgainst prepares a boot of the lab's first user against a served pool, by the computer's own sockets.
func bootAgainst(t *testing.T, s *rig.Served, lab string) *setting {
	t.Helper()
	b := newSetting(t, lab, rig.DefaultProfile)
	b.Options.Lab, b.Host = nil, true
	b.Target = handset.Target{FQDN: s.Pool.EntryName(), Port: at(t, s, "sip-tls").Port(), Address: loopback, URI: s.Pool.CertProvURL()}
	b.Authorities = readCA(t, s.Ready.CA)
	b.Network.DNS, b.Profile.TimeFallback = loopback, loopback.String()
	return b
}

// TestServe finds every service where the ready file says that it is.
func TestServe(t *testing.T) {
	o := serveOptions(t, "litware")
	o.Ports = rig.Ports{SIPTCP: picked(), DHCP: picked(), DNS: picked(), NTP: picked()}
	o.ReadyFile = filepath.Join(t.TempDir(), "ready.json")
	if err := os.WriteFile(o.ReadyFile, []byte("of an earlier pool"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := rig.Serve(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(o.ReadyFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ready file before it is written: %v", err)
	}
	if err := s.WriteReady(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(o.ReadyFile); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("ready file: %v, %v", info, err)
	}
	text, err := os.ReadFile(o.ReadyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range s.Ready.Addresses {
		if !strings.Contains(string(text), a.Address) || !strings.HasPrefix(a.Address, "127.0.0.1:") {
			t.Errorf("%+v is not in the ready file, or not on loopback", a)
		}
	}
	askHTTP(t, s)
	askSIP(t, s)
	askDNS(t, s)
	if _, err := ntp.QueryWithOptions(at(t, s, "ntp").String(), ntp.QueryOptions{Timeout: 5 * time.Second}); err != nil {
		t.Errorf("NTP: %v", err)
	}
	askDHCP(t, s)
	b := bootAgainst(t, s, "litware")
	b.wantSuccess(b.boot())

	var out strings.Builder
	if _, err := s.WriteTo(&out); err != nil || strings.Contains(out.String(), "Other computers") || !strings.Contains(out.String(), s.Ready.CA) {
		t.Errorf("%v\n%s", err, &out)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{o.ReadyFile, s.Ready.CA} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s after the end: %v", path, err)
		}
	}
}

func askHTTP(t *testing.T, s *rig.Served) {
	t.Helper()
	roots := x509.NewCertPool()
	for _, c := range readCA(t, s.Ready.CA) {
		roots.AddCert(c)
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: litwareFQDN}, DisableKeepAlives: true,
	}}
	for _, service := range []string{"http", "https"} {
		answer, err := client.Get(service + "://" + at(t, s, service).String() + "/CertProv/CertProvisioningService.svc/mex")
		if err != nil {
			t.Error(err)
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), at(t, s, "https").String()[len("127.0.0.1"):]) {
			t.Errorf("%s: %d, %v", service, answer.StatusCode, err)
		}
	}
}

func askSIP(t *testing.T, s *rig.Served) {
	t.Helper()
	for _, service := range []string{"sip-tls", "sip-tcp"} {
		conn, err := net.Dial("tcp4", at(t, s, service).String())
		if err != nil {
			t.Error(err)
			continue
		}
		if service == "sip-tls" {
			conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		}
		io.WriteString(conn, "REGISTER sip:litwareinc.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bK1\r\nFrom: <sip:a@litwareinc.com>;tag=1;epid=1\r\n"+
			"To: <sip:a@litwareinc.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n")
		answer := make([]byte, 1<<10)
		n, err := conn.Read(answer)
		if err != nil || !strings.HasPrefix(string(answer[:n]), "SIP/2.0 401 ") {
			t.Errorf("%s: %.20q, %v", service, answer[:n], err)
		}
		conn.Close()
	}
}

func askDNS(t *testing.T, s *rig.Served) {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("_sipinternaltls._tcp.litwareinc.com."), Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET}},
	}
	query, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	stream, err := net.DialTimeout("tcp4", at(t, s, "dns").String(), 5*time.Second) // the same port
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	length := make([]byte, 2)
	if _, err := stream.Write(append([]byte{0, byte(len(query))}, query...)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stream, length); err != nil || length[1] < 12 {
		t.Errorf("DNS over TCP: %x, %v", length, err)
	}
	if err := m.Unpack(exchange(t, at(t, s, "dns"), query)); err != nil || len(m.Answers) != 1 || len(m.Additionals) != 1 {
		t.Fatalf("DNS: %v, %v", m, err)
	}
	service, host := m.Answers[0].Body.(*dnsmessage.SRVResource), m.Additionals[0].Body.(*dnsmessage.AResource)
	if service.Port != at(t, s, "sip-tls").Port() || netip.AddrFrom4(host.A) != loopback {
		t.Errorf("DNS: port %d of %v", service.Port, host.A)
	}
}

// askDHCP sends the INFORM of discovery.md §1.4; the answer comes to the port that asked.
func askDHCP(t *testing.T, s *rig.Served) {
	t.Helper()
	inform := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: net.HardwareAddr{0, 4, 0xf2, 1, 2, 3}, ClientIPAddr: net.IPv4(127, 0, 0, 1),
		Options: dhcpv4.Options{53: {byte(dhcpv4.MessageTypeInform)}, 55: {120, 43}, 60: []byte("MS-UC-Client")},
	}
	payload, err := dhcpoption.Encode(inform, []uint8{53, 55, 60})
	if err != nil {
		t.Fatal(err)
	}
	ack, err := dhcpoption.Parse(exchange(t, at(t, s, "dhcp"), payload))
	if err != nil {
		t.Fatal(err)
	}
	names, err := dhcpoption.ParseSIPServers(ack.Options[120])
	uc, ucErr := dhcpoption.ParseUC(ack.Options[43])
	if err != nil || ucErr != nil || names[0] != litwareFQDN || "https://"+uc.Host+":"+uc.Port+uc.Path != s.Pool.CertProvURL() {
		t.Errorf("DHCP: %v, %v; %+v, %v", names, err, uc, ucErr)
	}
}

func exchange(t *testing.T, to netip.AddrPort, query []byte) []byte {
	t.Helper()
	conn, err := net.Dial("udp4", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(query); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 1500)
	n, err := conn.Read(answer)
	if err != nil {
		t.Fatalf("%s: %v", to, err)
	}
	return answer[:n]
}

// TestServeRestart: after a restart on the same state a handset that was signed in still is, and a changed PIN stays.
func TestServeRestart(t *testing.T) {
	o := serveOptions(t, "litware")
	o.State = t.TempDir()
	first := mustServe(t, o)
	flash := &handset.MemoryFlash{}
	cold := bootAgainst(t, first, "litware")
	cold.Flash = flash
	cold.wantSuccess(cold.boot())
	if err := first.Pool.Directory.SetPIN("sip:kenmyer@litwareinc.com", "5826"); err != nil {
		t.Fatal(err)
	}
	http, https, sip := at(t, first, "http").Port(), at(t, first, "https").Port(), at(t, first, "sip-tls").Port()
	ca := readCA(t, first.Ready.CA)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	o.Ports = rig.Ports{HTTP: &http, HTTPS: &https, SIPTLS: &sip}
	second := mustServe(t, o)
	if again := readCA(t, second.Ready.CA); len(again) != len(ca) || !again[0].Equal(ca[0]) {
		t.Error("another CA after the restart")
	}
	warm := bootAgainst(t, second, "litware")
	warm.Flash = flash
	result := warm.boot()
	warm.wantSuccess(result)
	for _, state := range result.States {
		if state.State == devicestate.WebTicket || state.State == devicestate.Enroll {
			t.Errorf("the handset went through %s", state.State)
		}
	}
	renewed := bootAgainst(t, second, "litware") // with the PIN of before
	if result := renewed.boot(); result.Code != "ticket.refused" {
		t.Errorf("the old PIN: %s %s", result.Result, result.Code)
	}
}

// TestServeRefuses says what is wrong, and whether it is the computer that lacks something.
func TestServeRefuses(t *testing.T) {
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := uint16(listener.Addr().(*net.TCPAddr).Port)
	state := t.TempDir()
	o := serveOptions(t, "litware")
	o.State = state
	holder := mustServe(t, o)
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "directory.json"), []byte(`{"version":`), 0o600); err != nil {
		t.Fatal(err)
	}
	free := t.TempDir()
	file := filepath.Join(free, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, lab string
		change    func(*rig.ServeOptions)
		computer  bool
		want      string
	}{
		{"a port that is taken", "litware", func(o *rig.ServeOptions) { o.Ports.HTTPS = &taken }, true, "another program has this port"},
		{"an address of another computer", "litware", func(o *rig.ServeOptions) { o.Listen = netip.MustParseAddr("192.0.2.1") }, true, "this computer has no such address"},
		{"no time server", "litware", func(o *rig.ServeOptions) { o.Lab.Network.NTP = "none"; o.Ports.NTP = picked() }, false, "has no time server"},
		{"state that is in use", "litware", func(o *rig.ServeOptions) { o.State = state }, true, "another process uses it"},
		{"damaged state", "litware", func(o *rig.ServeOptions) { o.State = damaged }, false, "directory.json is damaged"},
		{"state that is a file", "litware", func(o *rig.ServeOptions) { o.State = file }, true, "file"},
		{"a ready file that cannot be removed", "litware", func(o *rig.ServeOptions) { o.ReadyFile = filepath.Dir(file) }, true, filepath.Dir(file)},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := serveOptions(t, c.lab)
			c.change(&o)
			s, err := rig.Serve(t.Context(), o)
			if err == nil {
				s.Close()
				t.Fatal("served")
			}
			var lacks *rig.ComputerError
			if errors.As(err, &lacks) != c.computer || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	o = serveOptions(t, "contoso")
	o.State = state
	if s, err := rig.Serve(t.Context(), o); err == nil || !strings.Contains(err.Error(), "directory of lab \"litware\", not of contoso") {
		t.Errorf("another lab's state: %v, %v", s, err)
	}
}

// TestServeReachable: on an address that is not this computer's own it says who can reach it.
func TestServeReachable(t *testing.T) {
	o := serveOptions(t, "contoso")
	o.Listen, o.Ports.DHCP = netip.IPv4Unspecified(), picked()
	s := mustServe(t, o)
	var out strings.Builder
	if _, err := s.WriteTo(&out); err != nil || !strings.Contains(out.String(), "\nEnableDHCPServer is off in this lab: no registrar answers DHCPINFORM.\nOther computers can reach this pool") {
		t.Errorf("%v\n%s", err, &out)
	}
	hosts := map[string]bool{}
	for _, a := range s.Ready.Addresses {
		if a.Service == "sip-tls" {
			hosts[a.Host] = true
		}
	}
	first := s.Ready.Addresses[2]
	if len(hosts) != 4 || first.Service != "sip-tls" || first.Host != "lyncdir.contoso.com" {
		t.Errorf("registrars %v, the first is %+v", hosts, first)
	}
}
