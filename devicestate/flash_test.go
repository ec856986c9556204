package devicestate_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/phone-edition/lpe/devicestate"
)

func fullFlash() devicestate.Flash {
	return devicestate.Flash{
		Version: devicestate.FlashVersion, Registrar: "atl-cs-001.litwareinc.com", RegistrarPort: 5061,
		RegistrarAddresses: []netip.Addr{netip.MustParseAddr("10.20.0.10")}, OtherRegistrar: "backup.litwareinc.com", OtherPort: 5061,
		CertificateURL: "https://atl-cs-001.litwareinc.com:443/CertProv/CertProvisioningService.svc",
		UpdateURL:      "https://atl-cs-001.litwareinc.com:443/RequestHandler/ucdevice.upx",
		Chain:          [][]byte{{0x30, 0x01}, {0x30, 0x02}},
		SIPAddress:     "sip:kenmyer@litwareinc.com", Number: "1219", Login: `LITWARE\kenmyer`, EPID: "0123456789", PINForm: "p1",
		Certificate: []byte{0x30, 0x03}, Key: devicestate.Key("PRIVATE"), CertificateRefused: true,
		Refused: &devicestate.SaltedSum{Salt: []byte{1}, Sum: []byte{2}}, UnlockPIN: &devicestate.SaltedSum{Salt: []byte{3}, Sum: []byte{4}},
		Profile: "polycom-cx600-4.0.7577.4463", PreviousProfile: "polycom-cx600-4.0.7577.107",
		ClockOffset: -3 * time.Hour, ClockKept: true,
	}
}

// addresses are compared as values.
var addresses = cmpopts.EquateComparable(netip.Addr{})

func TestFullFlashIsFull(t *testing.T) {
	v := reflect.ValueOf(fullFlash())
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not set", v.Type().Field(i).Name)
		}
	}
}

// TestMigrate: each version that there was is read, one that will be is not.
func TestMigrate(t *testing.T) {
	for version, want := range map[int]string{-1: "version -1", 0: "version 0", 1: "", 2: "", 3: "version 3, which a later version of this program wrote: this one reads versions 1 to 2"} {
		f := fullFlash()
		f.Version = version
		err := f.Migrate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("version %d: %v, want %q", version, err, want)
		}
		if err == nil && f.Version != devicestate.FlashVersion {
			t.Errorf("version %d becomes %d", version, f.Version)
		}
	}
	want := fullFlash()
	want.RegistrarAddresses, want.OtherRegistrar, want.OtherPort, want.UnlockPIN = nil, "", 0, nil
	got := fullFlash()
	got.Version = 1
	if err := got.Migrate(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, addresses); diff != "" {
		t.Errorf("version 1 (-want +got):\n%s", diff)
	}
}

func TestFlashRoundTrip(t *testing.T) {
	for _, want := range []devicestate.Flash{{}, fullFlash()} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got devicestate.Flash
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, addresses); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestKeyIsNeverPrinted(t *testing.T) {
	flash := fullFlash()
	for _, value := range []any{flash, &flash, flash.Key, []any{flash.Key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b"} {
			text := fmt.Sprintf(verb, value)
			for _, secret := range []string{"PRIVATE", "50524956415445", "80 82 73", "01010000 01010010"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T prints the key: %s", verb, value, text)
				}
			}
		}
	}
	if got := flash.Key.String() + flash.Key.GoString(); got != "******" {
		t.Errorf("String and GoString give %q", got)
	}
}

func TestFlashMemory(t *testing.T) {
	held := fullFlash()
	held.CertificateRefused = false
	for _, tt := range []struct {
		name  string
		flash func(*devicestate.Flash)
		want  devicestate.Memory
	}{
		{"full", func(*devicestate.Flash) {}, devicestate.Memory{Registrar: true, Certificate: true, UnlockPIN: true}},
		{"no URL", func(f *devicestate.Flash) { f.CertificateURL = "" }, devicestate.Memory{Certificate: true, UnlockPIN: true}},
		{"no registrar", func(f *devicestate.Flash) { f.Registrar = "" }, devicestate.Memory{Certificate: true, UnlockPIN: true}},
		{"no key", func(f *devicestate.Flash) { f.Key = nil }, devicestate.Memory{Registrar: true, UnlockPIN: true}},
		{"refused", func(f *devicestate.Flash) { f.CertificateRefused = true }, devicestate.Memory{Registrar: true, UnlockPIN: true}},
		{"signed out", func(f *devicestate.Flash) { f.EraseSignIn() }, devicestate.Memory{Registrar: true, UnlockPIN: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flash := held
			tt.flash(&flash)
			if got := flash.Memory(); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestEraseSignInKeepsChainRegistrarAndEPID(t *testing.T) {
	got, want := fullFlash(), fullFlash()
	got.EraseSignIn()
	want.SIPAddress, want.Number, want.Login, want.Certificate, want.Key, want.CertificateRefused = "", "", "", nil, nil, false
	if diff := cmp.Diff(want, got, addresses); diff != "" {
		t.Error(diff)
	}
}

func TestEraseUserKeepsTheFirmware(t *testing.T) {
	got := fullFlash()
	got.EraseUser()
	want := devicestate.Flash{Version: devicestate.FlashVersion, Profile: "polycom-cx600-4.0.7577.4463", PreviousProfile: "polycom-cx600-4.0.7577.107"}
	if diff := cmp.Diff(want, got, addresses); diff != "" {
		t.Error(diff)
	}
}

func TestOtherUser(t *testing.T) {
	const login = `LITWARE\kenmyer`
	for _, tt := range []struct {
		heldNumber, heldLogin, number, login string
		want                                 bool
	}{
		{"", "", "1219", "", false},
		{"", "", "", login, false},
		{"1219", "", "", "", false},
		{"", login, "", "", false},
		{"1219", "", "1219", "", false},
		{"1219", "", "1220", "", true},
		{"", login, "", `litware\KENMYER`, false},
		{"", login, "", `LITWARE\second`, true},
		{"", login, "", "kenmyer@litwareinc.com", true},
		{"1219", "", "", login, true},
		{"", login, "1219", "", true},
	} {
		flash := devicestate.Flash{Number: tt.heldNumber, Login: tt.heldLogin}
		if got := flash.OtherUser(tt.number, tt.login); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
