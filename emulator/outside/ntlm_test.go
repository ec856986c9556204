//go:build outside

package outside

import (
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// TestCaptureOfNTLM holds the sign-in of a CX700 against Wireshark's dissector of NTLM.
func TestCaptureOfNTLM(t *testing.T) {
	path := capturedBoot(t, "litware", "polycom-cx700-4.0.7577.4066", true)
	if bad := faults(t, path); bad != "" {
		t.Errorf("malformed frames or expert errors:\n%s", bad)
	}
	const fields = "1\t\t\t\n2\t\t\tLITWARE\n3\tLITWARE\tkenmyer\t\n"
	got := tsharkFields(t, path, "ntlmssp", "ntlmssp.messagetype", "ntlmssp.auth.domain", "ntlmssp.auth.username", "ntlmssp.challenge.target_info.nb_domain_name")
	got = strings.NewReplacer("0x0000000", "", "0x", "").Replace(got)
	if got != fields {
		t.Errorf("messages\n%s\nwant\n%s", got, fields)
	}
}

// webServices is a lab whose web services can be reached at an address of this computer.
type webServices struct{ host, address, roots string }

func openWebServices(t *testing.T, windowsAuth string) webServices {
	t.Helper()
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	lab.WebServices.WindowsAuth = windowsAuth
	cable := ethernet.NewSegment(ethernet.Options{})
	t.Cleanup(func() { cable.Close() })
	pool, err := labpool.Start(labpool.Config{Lab: lab, Cable: cable})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	station, err := cable.Join(ethernet.StationConfig{Name: "client", MAC: net.HardwareAddr{2, 0, 0, 0, 9, 9}, TTL: 64})
	if err != nil {
		t.Fatal(err)
	}
	if err := station.SetAddress(netip.PrefixFrom(netip.MustParseAddr("10.20.0.19"), lab.Network.Subnet.Bits()), netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	w := webServices{host: lab.Web, address: forward(t, station, netip.AddrPortFrom(lab.FrontEnds[0].Address, 443))}
	var roots []byte
	for _, chain := range pool.Authority.Chains() {
		for _, c := range chain {
			roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
	}
	w.roots = filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(w.roots, roots, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// forward takes connections at an address of this computer to one on the cable.
func forward(t *testing.T, station ethernet.Station, to netip.AddrPort) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer near.Close()
				far, err := station.DialTCP(ctx, to)
				if err != nil {
					return
				}
				defer far.Close()
				defer context.AfterFunc(ctx, func() { near.Close(); far.Close() })()
				done := make(chan struct{})
				go func() { io.Copy(far, near); far.Close(); close(done) }()
				io.Copy(near, far)
				near.Close()
				<-done
			})
		}
	})
	return listener.Addr().String()
}

// TestCurlSignsIn has another implementation of NTLM ask for a web ticket, and of Basic: curl. It gives the status,
// the number of connections, and the ticket.
func TestCurlSignsIn(t *testing.T) {
	const right, wrong = `LITWARE\kenmyer:Litware-2013`, `LITWARE\kenmyer:Litware-2014`
	for _, test := range []struct {
		windowsAuth, how, login string
		want                    string // status and number of connections
	}{
		{"ntlm", "--ntlm", right, "200 1"},
		{"ntlm", "--anyauth", right, "200 1"},
		{"ntlm", "--ntlm", "kenmyer@litwareinc.com:Litware-2013", "200 1"},
		{"ntlm", "--ntlm", "kenmyer:Litware-2013", "200 1"},
		{"ntlm", "--ntlm", wrong, "401 1"},
		{"ntlm", "--basic", right, "401 1"},
		{"basic", "--basic", right, "200 1"},
		{"basic", "--anyauth", right, "200 1"},
		{"basic", "--basic", wrong, "401 1"},
		{"basic", "--ntlm", right, "401 1"},
	} {
		t.Run(test.windowsAuth+" "+test.how+" "+test.login, func(t *testing.T) {
			w := openWebServices(t, test.windowsAuth)
			request, err := webticket.Request{
				Context: "c", AppliesTo: "https://" + w.host + "/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1", Entropy: make([]byte, 32),
			}.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			answer := filepath.Join(dir, "answer.xml")
			body := filepath.Join(dir, "request.xml")
			if err := os.WriteFile(body, request, 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(
				t.Context(), program(t, "curl"), "-q", "-sS", "--http1.1", "--noproxy", "*", "--max-time", "20",
				"--cacert", w.roots, "--connect-to", w.host+":443:"+w.address, test.how, "-u", test.login,
				"-H", "Content-Type: text/xml", "-H", `SOAPAction: "`+webticket.Action+`"`, "-H", "Expect:", "--data-binary", "@"+body,
				"-o", answer, "-w", "%{http_code} %{num_connects}", "https://"+w.host+"/WebTicket/WebTicketService.svc",
			)
			out, err := command.CombinedOutput()
			if err != nil || string(out) != test.want {
				t.Errorf("%v: %s, want %s", err, out, test.want)
			}
			text, err := os.ReadFile(answer)
			if err != nil {
				t.Fatal(err)
			}
			ticket, err := webticket.ParseResponse(text)
			if signedIn := strings.HasPrefix(test.want, "200"); (err == nil) != signedIn || signedIn && ticket.SIPAddress != "sip:kenmyer@litwareinc.com" {
				t.Errorf("a ticket for %q, %v", ticket.SIPAddress, err)
			}
		})
	}
}
