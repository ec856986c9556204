package handset

import (
	"crypto/x509"
	"encoding/base64"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/devicestate"
)

func TestFlashDir(t *testing.T) {
	dir := FlashDir(filepath.Join(t.TempDir(), "phone"))
	empty, err := dir.Load()
	if err != nil || !cmp.Equal(empty, devicestate.Flash{}) {
		t.Fatalf("a new flash is %+v, %v", empty, err)
	}
	ca := certSpec{name: "CA", ca: true}.make(t, nil)
	key, err := x509.MarshalPKCS8PrivateKey(testKeys()[2048])
	if err != nil {
		t.Fatal(err)
	}
	want := devicestate.Flash{
		Version: devicestate.FlashVersion, Registrar: "fe.litwareinc.com", SIPAddress: "sip:kenmyer@litwareinc.com",
		Chain: [][]byte{ca.Raw}, Certificate: ca.Raw, Key: key, EPID: "0123456789", PINForm: "p1",
	}
	if err := dir.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := dir.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	files, err := os.ReadDir(string(dir))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	info, err := files[0].Info()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
}

// TestFlashOfVersion1 reads what the first version of this program wrote, field by field as it spelled them; the next
// save writes the present version.
func TestFlashOfVersion1(t *testing.T) {
	certificate := certSpec{name: "kenmyer@litwareinc.com"}.make(t, nil).Raw
	key, err := x509.MarshalPKCS8PrivateKey(testKeys()[2048])
	if err != nil {
		t.Fatal(err)
	}
	in64 := base64.StdEncoding.EncodeToString
	text := `{"version": 1, "registrar": "atl-cs-001.litwareinc.com", "registrarPort": 5061,
		"certificateUrl": "https://atl-cs-001.litwareinc.com:443/CertProv/CertProvisioningService.svc",
		"updateUrl": "https://atl-cs-001.litwareinc.com:443/RequestHandler/ucdevice.upx", "chain": ["` + in64(certificate) + `"],
		"sipAddress": "sip:kenmyer@litwareinc.com", "number": "12065551219", "login": "LITWARE\\kenmyer", "epid": "0b94f30682", "pinForm": "p1",
		"certificate": "` + in64(certificate) + `", "key": "` + in64(key) + `", "certificateRefused": true,
		"refused": {"salt": "AAEC", "sum": "AwQF"}, "profile": "polycom-cx600-4.0.7577.4512", "previousProfile": "polycom-cx600-4.0.7577.4463",
		"clockOffset": -7000000000, "clockKept": true}`
	dir := FlashDir(t.TempDir())
	if err := os.WriteFile(filepath.Join(string(dir), flashName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := dir.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := devicestate.Flash{
		Version: 2, Registrar: "atl-cs-001.litwareinc.com", RegistrarPort: 5061,
		CertificateURL: "https://atl-cs-001.litwareinc.com:443/CertProv/CertProvisioningService.svc",
		UpdateURL:      "https://atl-cs-001.litwareinc.com:443/RequestHandler/ucdevice.upx", Chain: [][]byte{certificate},
		SIPAddress: "sip:kenmyer@litwareinc.com", Number: "12065551219", Login: `LITWARE\kenmyer`, EPID: "0b94f30682", PINForm: "p1",
		Certificate: certificate, Key: key, CertificateRefused: true,
		Refused: &devicestate.SaltedSum{Salt: []byte{0, 1, 2}, Sum: []byte{3, 4, 5}},
		Profile: "polycom-cx600-4.0.7577.4512", PreviousProfile: "polycom-cx600-4.0.7577.4463", ClockOffset: -7 * time.Second, ClockKept: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := dir.Save(got); err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(filepath.Join(string(dir), flashName))
	if err != nil || !strings.Contains(string(again), `"version": 2`) {
		t.Errorf("saved as %.40s, %v", again, err)
	}
}

func TestDamagedFlashIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"cut off":         `{"version":1,"registrar":"fe`,
		"a later version": `{"version":3}`,
		"no version":      `{"registrar":"fe.litwareinc.com"}`,
		"chain":           `{"version":1,"chain":["AAAA"]}`,
		"certificate":     `{"version":1,"certificate":"AAAA"}`,
		"key":             `{"version":1,"certificate":"` + base64.StdEncoding.EncodeToString(certSpec{name: "x"}.make(t, nil).Raw) + `","key":"AAAA"}`,
		"URL":             `{"version":1,"certificateUrl":"::bad"}`,
		"too large":       strings.Repeat(" ", maxFlashSize+1),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, flashName), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := FlashDir(dir).Load(); err == nil || !strings.Contains(err.Error(), flashName) {
				t.Errorf("loaded: %v", err)
			}
		})
	}
}

func TestFailedSaveLeavesTheOldFlash(t *testing.T) {
	dir := FlashDir(t.TempDir())
	old := devicestate.Flash{Version: devicestate.FlashVersion, Registrar: "old"}
	if err := dir.Save(old); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(string(dir), flashName)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(string(dir), flashName), 0o700); err != nil {
		t.Fatal(err) // a directory cannot be replaced by a file
	}
	if err := dir.Save(old); err == nil {
		t.Fatal("saved over a directory")
	}
	files, err := os.ReadDir(string(dir))
	if err != nil || len(files) != 1 {
		t.Errorf("a half-written file stayed: %v, %v", files, err)
	}
}
