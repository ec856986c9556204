//go:build outside

package outside

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

// capturedBoot boots lab once and returns the capture's path.
func capturedBoot(t *testing.T, lab string, secrets bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "boot.pcapng")
	options := rig.Options{Timeout: time.Minute, Capture: path, CaptureSecrets: secrets}
	var err error
	if options.Lab, err = configs.LoadLab(lab); err != nil {
		t.Fatal(err)
	}
	if options.Profile, err = configs.LoadProfile(rig.DefaultProfile); err != nil {
		t.Fatal(err)
	}
	options.Credentials = rig.FirstUser(options.Lab)
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

func tsharkFields(t *testing.T, path, filter string, fields ...string) string {
	t.Helper()
	args := []string{
		"-2", "-r", path, "-o", "tcp.desegment_tcp_streams:TRUE", "-o", "tls.desegment_ssl_records:TRUE",
		"-o", "tls.desegment_ssl_application_data:TRUE", "-Y", filter, "-T", "fields",
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	var stderr bytes.Buffer
	command := exec.Command("tshark", args...)
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.String())
	}
	return string(out)
}

// TestCaptureOfABoot holds every frame of a boot against Wireshark's dissectors.
func TestCaptureOfABoot(t *testing.T) {
	for _, lab := range configs.Labs() {
		t.Run(lab, func(t *testing.T) {
			path := capturedBoot(t, lab, true)
			if bad := tsharkFields(t, path, "_ws.malformed || _ws.expert.severity >= 8388608", "frame.number", "frame.protocols", "_ws.expert.message"); bad != "" {
				t.Errorf("malformed frames or expert errors:\n%s", bad)
			}
			for _, protocol := range []string{"lldp", "arp", "dhcp", "dns", "ntp", "http", "sip"} {
				if tsharkFields(t, path, protocol, "frame.number") == "" {
					t.Errorf("no %s in the capture", protocol)
				}
			}
			if tsharkFields(t, path, `http.request && xml.tag contains "GetAndPublishCert"`, "frame.number") == "" {
				t.Error("GetAndPublishCert is not in clear")
			}
			if tsharkFields(t, path, `sip.Method == "REGISTER" && sip.auth contains "cnum"`, "frame.number") == "" &&
				tsharkFields(t, path, `sip.Method == "REGISTER" && frame contains "crand"`, "frame.number") == "" &&
				tsharkFields(t, path, `sip.Method == "REGISTER"`, "sip.Authorization") == "" {
				t.Error("the signed REGISTER is not in clear")
			}
			if names := tsharkFields(t, path, "lldp", "frame.interface_name", "frame.interface_description"); !strings.Contains(names, "handset") {
				t.Errorf("no interface is named for the handset: %q", names)
			}
		})
	}
}

// TestCaptureWithoutSecrets holds that nothing of the encrypted connections can be read.
func TestCaptureWithoutSecrets(t *testing.T) {
	path := capturedBoot(t, "litware", false)
	if sip := tsharkFields(t, path, "sip", "frame.number"); sip != "" {
		t.Errorf("SIP in clear in frames %s", strings.Fields(sip))
	}
	if https := tsharkFields(t, path, "http && tcp.port == 443", "frame.number"); https != "" {
		t.Errorf("https in clear in frames %s", strings.Fields(https))
	}
	if tsharkFields(t, path, "tls.app_data && tcp.port == 5061", "frame.number") == "" {
		t.Error("no TLS to port 5061 in the capture")
	}
}
