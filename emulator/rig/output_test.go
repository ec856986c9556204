package rig_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
)

// A PIN and a password that come up nowhere else.
const (
	telltalePIN      = "071218635529"
	telltalePassword = "Telltale-2013"
)

// proofs are what the handset sent that nobody else may see: what is in these elements, and in the headers that
// authenticate.
var (
	proofElement = regexp.MustCompile(`<(?:\w+:)?(?:Password|BinarySecret|SignatureValue|CipherValue|DigestValue|BinarySecurityToken)\b[^>]*>([^<]{8,})<`)
	proofParam   = regexp.MustCompile(`(?i)(?:gssapi-data|response|opaque|crand)="([^"]{8,})"`)
	proofHeader  = regexp.MustCompile(`(?i)^(?:Authorization: (?:NTLM|Negotiate|Basic) |Cookie: )(.{8,})$`)
)

func (x *tapped) proofs() []string {
	x.t.Helper()
	var out []string
	for _, c := range x.tap.connections() {
		for _, m := range x.messagesOf(c) {
			for _, found := range proofElement.FindAllStringSubmatch(m.body, -1) {
				out = append(out, strings.Fields(found[1])...)
			}
			for _, line := range m.head {
				for _, found := range append(proofParam.FindAllStringSubmatch(line, -1), proofHeader.FindAllStringSubmatch(line, -1)...) {
					out = append(out, found[1])
				}
			}
		}
	}
	return out
}

// No output form tells PIN, password, ticket or key, though html and jsonl tell every message.
func TestOutputsTellNoSecret(t *testing.T) {
	for name, prepare := range map[string]func(*setting){
		"PIN": func(s *setting) { s.Credentials.PIN = secret.New(telltalePIN) },
		"NTLM": func(s *setting) {
			s.Credentials = handset.Credentials{User: s.Lab.Users[0].Login, Password: secret.New(telltalePassword)}
		},
		"Basic": func(s *setting) {
			s.Lab.WebServices.WindowsAuth = "basic"
			s.Credentials = handset.Credentials{User: s.Lab.Users[0].Login, Password: secret.New(telltalePassword)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var values []string
			for _, form := range report.Forms() {
				values = append(values, string(form)+"="+filepath.Join(dir, string(form)))
			}
			outputs, err := report.ParseOutputs(values)
			if err != nil {
				t.Fatal(err)
			}
			var shown bytes.Buffer
			if err := outputs.Open(&shown); err != nil {
				t.Fatal(err)
			}
			boot := outputs.Begin("1219")
			flash := &handset.MemoryFlash{}
			var proofs []string
			onTap(t, "litware", rig.DefaultProfile, func(s *setting) {
				lab := *s.Lab
				lab.Users = slices.Clone(lab.Users)
				lab.Users[0].PIN, lab.Users[0].Password = telltalePIN, telltalePassword
				s.Lab, s.Flash, s.Decode = &lab, flash, true
				prepare(s)
				s.Observers = append(s.Observers, outputs.Observer(boot), report.Progress(&shown, true))
			}, func(x *tapped) {
				x.boot()
				x.signOff()
				proofs = x.proofs()
			})
			if err := outputs.Record(boot, rig.Party, report.Result{Result: report.Success}); err != nil {
				t.Fatal(err)
			}
			if err := outputs.Finish(); err != nil {
				t.Fatal(err)
			}
			held, err := flash.Load()
			if err != nil {
				t.Fatal(err)
			}
			if len(proofs) < 10 || len(held.Key) == 0 {
				t.Fatalf("%d proofs were sent, the key has %d bytes", len(proofs), len(held.Key))
			}
			proofs = append(proofs, telltalePIN, telltalePassword, base64.StdEncoding.EncodeToString([]byte(telltalePIN)),
				base64.StdEncoding.EncodeToString(held.Key)[40:80], hex.EncodeToString(held.Key)[60:100], "PRIVATE KEY")
			texts := map[string]string{"terminal": shown.String()}
			for _, form := range report.Forms() {
				text, err := os.ReadFile(filepath.Join(dir, string(form)))
				if err != nil {
					t.Fatal(err)
				}
				texts[string(form)] = string(text)
			}
			if !strings.Contains(texts["html"], "UsernameToken/Password") && name == "PIN" || !strings.Contains(texts["jsonl"], "gssapi") && !strings.Contains(texts["jsonl"], "TLS-DSK") {
				t.Error("the messages are not told")
			}
			for where, text := range texts {
				for _, proof := range proofs {
					if strings.Contains(text, proof) {
						t.Errorf("%s tells %s", where, proof)
					}
				}
			}
		})
	}
}
