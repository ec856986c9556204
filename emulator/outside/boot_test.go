//go:build outside

package outside

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/trace"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// bootPIN is long enough not to stand anywhere by chance.
const bootPIN = "739154862058"

// secretTexts are what a handset sends to the web services inside TLS alone; the metadata on port 80 names the operations.
var secretTexts = []string{bootPIN, "<GetAndPublishCert ", "RequestSecurityToken>", "BinarySecret"}

// capturedBoot boots a handset of the profile in the lab once and returns the capture's path.
func capturedBoot(t *testing.T, lab, profile string, secrets bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "boot.pcapng")
	options := rig.Options{Timeout: time.Minute, Capture: path, CaptureSecrets: secrets}
	var err error
	if options.Lab, err = configs.LoadLab(lab); err != nil {
		t.Fatal(err)
	}
	options.Lab.Users[0].PIN = bootPIN
	if options.Profile, err = configs.LoadProfile(profile); err != nil {
		t.Fatal(err)
	}
	options.Credentials = rig.FirstUser(options.Lab, options.Profile)
	run, err := rig.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	result := run.Boot(context.Background())
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	if result.Result != report.Success {
		t.Fatalf("%s: %s", result.Code, result.Diagnosis)
	}
	return path
}

const enrollment = `http.request.line contains "OCS/AuthWebServices/GetAndPublishCert" && xml.tag contains "GetAndPublishCert"`

// TestCaptureOfABoot holds every frame of a boot against Wireshark's dissectors.
func TestCaptureOfABoot(t *testing.T) {
	for _, lab := range configs.Labs() {
		t.Run(lab, func(t *testing.T) {
			t.Parallel()
			path := capturedBoot(t, lab, rig.DefaultProfile, true)
			if bad := faults(t, path); bad != "" {
				t.Errorf("malformed frames or expert errors:\n%s", bad)
			}
			protocols := strings.FieldsFunc(tsharkFields(t, path, "frame", "frame.protocols"), func(r rune) bool { return r == ':' || r == '\n' })
			counts := map[string]int{}
			for _, p := range protocols {
				counts[p]++
			}
			for _, p := range []string{"lldp", "arp", "dhcp", "dns", "ntp", "http", "tls", "sip"} {
				if counts[p] == 0 {
					t.Errorf("no %s in the capture: %v", p, counts)
				}
			}
			if tsharkFields(t, path, enrollment, "frame.number") == "" {
				t.Error("GetAndPublishCert is not in clear")
			}
			if signedRegisters(t, path) == 0 {
				t.Error("the signed REGISTER is not in clear")
			}
			web, _ := decrypted(t, path, enrollment)
			for _, text := range secretTexts {
				if !bytes.Contains(web, []byte(text)) {
					t.Errorf("%s is not in clear, so that its absence elsewhere proves nothing", text)
				}
			}
			if blocks(t, path)[decryptionSecrets] == 0 {
				t.Error("the capture has no decryption secrets block")
			}
			if names := tsharkFields(t, path, "lldp", "frame.interface_name", "frame.interface_description"); !strings.Contains(names, "handset") {
				t.Errorf("no interface is named for the handset: %q", names)
			}
		})
	}
}

// TestCaptureWithoutSecrets holds that nothing of the encrypted connections can be read.
func TestCaptureWithoutSecrets(t *testing.T) {
	for _, lab := range configs.Labs() {
		t.Run(lab, func(t *testing.T) {
			t.Parallel()
			path := capturedBoot(t, lab, rig.DefaultProfile, false)
			if n := blocks(t, path)[decryptionSecrets]; n != 0 {
				t.Errorf("the capture has %d decryption secrets blocks", n)
			}
			if clear := tsharkFields(t, path, "sip || tls && (http || xml) || http && tcp.port == 443", "frame.number", "frame.protocols"); clear != "" {
				t.Errorf("in clear:\n%s", clear)
			}
			for _, port := range []string{"443", "5061"} {
				if tsharkFields(t, path, "tls.app_data && tcp.port == "+port, "frame.number") == "" {
					t.Errorf("no TLS to port %s in the capture", port)
				}
			}
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range append(secretTexts, "SIP/2.0", "CLIENT_RANDOM") {
				if bytes.Contains(file, []byte(text)) {
					t.Errorf("%s stands in the file", text)
				}
			}
		})
	}
}

// decryptionSecrets is the type of the pcapng block that holds a TLS key log.
const decryptionSecrets = 10

// blocks counts the blocks of a pcapng file by type.
func blocks(t *testing.T, path string) map[uint32]int {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(file) < 12 || binary.LittleEndian.Uint32(file[8:]) != 0x1a2b3c4d {
		t.Fatal("no little-endian pcapng file")
	}
	counts := map[uint32]int{}
	for len(file) > 0 {
		if len(file) < 12 {
			t.Fatalf("%d bytes after the last block", len(file))
		}
		size := binary.LittleEndian.Uint32(file[4:])
		if size < 12 || size%4 != 0 || int(size) > len(file) {
			t.Fatalf("a block of %d bytes with %d left", size, len(file))
		}
		counts[binary.LittleEndian.Uint32(file)]++
		file = file[size:]
	}
	return counts
}

// TestTsharkFindsFaults holds that the check of the captures can fail: an LLDP frame that is cut off.
func TestTsharkFindsFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.pcapng")
	w, err := trace.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	frame, err := lldp.Endpoint{
		MAC: mac, SystemName: "LPE-000001", Manufacturer: "Polycom", Model: "CX600", Firmware: "4.0.7577.4463", Serial: "020000000001",
		TTL: 120, ChassisSubtype: 4,
	}.PDU().Append(bytes.Join([][]byte{lldp.Multicast, mac, {0x88, 0xcc}}, nil))
	if err != nil {
		t.Fatal(err)
	}
	w.WriteFrame(ethernet.TappedFrame{At: time.Now(), Station: "handset", Frame: frame[:len(frame)-20]})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if faults(t, path) == "" {
		t.Error("tshark finds no fault with a frame that is cut off")
	}
}
