//go:build outside || peers || web

package outside

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/trace"
)

// packages are the Debian packages of programs with another name.
var packages = map[string]string{
	"chronyd": "chrony", "dhcpd": "isc-dhcp-server", "dhcrelay": "isc-dhcp-relay", "dnsmasq": "dnsmasq-base", "ip": "iproute2", "jsonschema": "python3-jsonschema",
	"kea-dhcp4": "kea-dhcp4-server", "lldpcli": "lldpd", "promtool": "prometheus", "setcap": "libcap2-bin", "setpriv": "util-linux",
	"sipp": "sip-tester", "unshare": "util-linux", "xmllint": "libxml2-utils",
}

// program finds a program or fails the test: one that was left out would prove nothing.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s, on Debian: apt-get install %s (%v)", name, cmp.Or(packages[name], name), err)
	}
	return path
}

func tshark(t *testing.T, file string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program(t, "tshark"), append([]string{"-n", "-2", "-r", file}, args...)...)
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("tshark %v: %v\n%s", args, err, errs.String())
	}
	return string(out)
}

// tsharkFields gives a line with the fields of each frame that the filter takes.
func tsharkFields(t *testing.T, file, filter string, fields ...string) string {
	t.Helper()
	args := []string{"-Y", filter, "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	return tshark(t, file, args...)
}

// faults are the frames of the capture that tshark cannot dissect, or holds for wrong, checksums included.
func faults(t *testing.T, file string) string {
	t.Helper()
	return tshark(
		t, file, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-Y", "_ws.malformed || _ws.expert.severity >= 8388608", // of which 8388608 is an error
		"-T", "fields", "-e", "frame.number", "-e", "frame.protocols", "-e", "_ws.expert.message",
	)
}

// decrypted gives what tshark reads inside the TLS of the TCP connection that the frames of filter belong to.
func decrypted(t *testing.T, file, filter string) (client, server []byte) {
	t.Helper()
	streams := strings.Fields(tsharkFields(t, file, filter, "tcp.stream"))
	if len(streams) == 0 {
		t.Fatalf("no frame is %s", filter)
	}
	for line := range strings.Lines(tshark(t, file, "-q", "-z", fmt.Sprintf("follow,tls,raw,%s", streams[0]))) {
		text, fromServer := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "\t")
		b, err := hex.DecodeString(text)
		switch {
		case err != nil: // the frame around it
		case fromServer:
			server = append(server, b...)
		default:
			client = append(client, b...)
		}
	}
	return client, server
}

// signedRegisters counts the REGISTERs whose Authorization header is signed.
func signedRegisters(t *testing.T, path string) int {
	t.Helper()
	n := 0
	for line := range strings.Lines(tsharkFields(t, path, `sip.Method == "REGISTER"`, "sip.Authorization")) {
		if strings.HasPrefix(line, "TLS-DSK ") && strings.Contains(line, ` cnum="`) && strings.Contains(line, ` response="`) {
			n++
		}
	}
	return n
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "atl-cs-001.litwareinc.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// secretsWriter is a key log.
type secretsWriter struct{ w *trace.Writer }

func (s secretsWriter) Write(b []byte) (int, error) {
	s.w.WriteSecrets(b)
	return len(b), nil
}
