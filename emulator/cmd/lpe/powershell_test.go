package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// bootFlagSet are the flags of lpe boot.
func bootFlagSet() *pflag.FlagSet { return bootCommand(quietSystem(nil, nil)).Flags() }

// words takes a line apart at blanks; a word in [] may have some.
func words(line string) []string {
	var out []string
	for line != "" {
		if quoted, ok := strings.CutPrefix(line, "["); ok {
			word, rest, _ := strings.Cut(quoted, "]")
			out, line = append(out, word), strings.TrimPrefix(rest, " ")
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		out, line = append(out, word), rest
	}
	return out
}

func TestCmdletLine(t *testing.T) {
	for _, test := range []struct{ in, want, notes string }{
		{"", "", ""},
		{"states --format dot", "states --format dot", ""},
		{"dhcp decode -o list", "dhcp decode -o list", ""},
		{"boot --lab", "boot --lab", ""},
		{"boot --lab -v -o json", "boot --lab -v -o json", ""},
		{"boot -o=json -h", "boot -o=json -h", ""},
		{"boot --timeout -1s --lab", "boot --timeout -1s --lab", ""},
		{"boot --fault -x --lab", "boot --fault -x --lab", ""},
		{"boot --lab -- -PIN 1", "boot --lab -- -PIN 1", ""},

		{"Test-CsPhoneBootstrap -PhoneOrExt +12065551219 -Pin 0712 --lab", "boot --phone-or-ext=+12065551219 --pin=0712 --lab", ""},
		{"TEST-CSPHONEBOOTSTRAP -phoneorext 1 -PIN 0712 --lab=x", "boot --phone-or-ext=1 --pin=0712 --lab=x", ""},
		{"Test-CsPhoneBootstrap -PhoneOrExt 1 -PIN 0712", "boot --phone-or-ext=1 --pin=0712 --host", "--host is taken"},
		{"Test-CsPhoneBootstrap -PhoneOrExt 1 --interface eth0", "boot --phone-or-ext=1 --interface eth0", ""},
		{"test-csphonebootstrap -?", "boot --help", ""},
		{"help Test-CsPhoneBootstrap", "help boot", ""},
		{"Test-CsPhoneBootstrap", "boot --host", "--host is taken"},

		{"boot -PhoneOrExtension 1 --lab", "boot --phone-or-ext=1 --lab", ""},
		{"boot -ph 1 -ua sip:a@b.c -twsu https://a.b/c -t a.b -rp 5061", "boot --phone-or-ext=1 --user-sip-address=sip:a@b.c --target-uri=https://a.b/c --target-fqdn=a.b --registrar-port=5061", ""},
		{"boot -Phone 1 -Pi:0712", "", "-Pi is ambiguous: -PIN, -PipelineVariable"},
		{"boot -Phone 1 -UserS sip:a@b.c", "boot --phone-or-ext=1 --user-sip-address=sip:a@b.c", ""},
		{"boot -TargetCertProvWsURL https://a.b/c", "boot --target-uri=https://a.b/c", ""},
		{"boot -PIN:0712 -PhoneOrExt: 1", "boot --pin=0712 --phone-or-ext=1", ""},
		{"boot -Verbose -V:$false", "", "-Verbose (--verbose) is given twice"},
		{"boot -Verbose --lab", "boot --verbose=true --lab", ""},
		{"boot -Verbose:$false", "boot --verbose=false", ""},
		{"boot -vb:True", "boot --verbose=true", ""},
		{"boot -Verbose: $FALSE", "boot --verbose=false", ""},
		{"boot –PhoneOrExt “+1206” —PIN ‘0712’ --lab", "boot --phone-or-ext=+1206 --pin=0712 --lab", ""},
		{`boot -PhoneOrExt '+1206' -PIN "0712"`, "boot --phone-or-ext=+1206 --pin=0712", ""},
		{"boot –v", "boot -v", ""},
		{"boot -UserSipAddress $null -PIN 0712", "boot --pin=0712", ""},
		{"boot -PhoneOrExt [] --lab", "boot --phone-or-ext= --lab", ""},

		{"Test-CsPhoneBootstrap pool.contoso.com -ph 1 --host", "boot --target-fqdn=pool.contoso.com --phone-or-ext=1 --host", ""},
		{"Test-CsPhoneBootstrap -ph 1 [“pool.contoso.com.”] --host", "boot --phone-or-ext=1 --target-fqdn=pool.contoso.com. --host", ""},
		{"boot -ph 1 pool.contoso.com", "boot --phone-or-ext=1 --target-fqdn=pool.contoso.com", ""},
		{"boot --ca roots.pem --ph 1", "boot --ca roots.pem --ph 1", ""},
		{"boot -ph 1 --ca roots.pem", "boot --phone-or-ext=1 --ca roots.pem", ""},
		{"boot --pin-file my pin.txt --lab", "boot --pin-file my pin.txt --lab", ""}, // no cmdlet's line: cobra refuses pin.txt
		{"boot -ph 1 98 --lab", "boot --phone-or-ext=1 98 --lab", ""},
		{"boot -ph 1 a.b c.d", "boot --phone-or-ext=1 a.b c.d", ""},

		{"boot -OutLoggerVariable log -ovv $text -Force -Confirm:$false", "boot", "-OutLoggerVariable has no effect"},
		{"boot -ErrorAction Stop -ev e", "boot", "-ErrorAction has no effect"},
		{"boot -Credential x", "boot", "needs no role"},

		{"boot -PhonOrExt 1219", "", "no parameter -PhonOrExt; did you mean -PhoneOrExt?"},
		{"boot -UserSipAdress x", "", "did you mean -UserSipAddress?"},
		{"boot -PNI 0712", "", "no parameter -PNI; did you mean -PIN?"},
		{"boot -PIN0712", "", "no parameter -PIN…; did you mean -PIN?"},
		{"boot -PIN=0712", "", "no parameter -PIN…; did you mean -PIN?"},
		{"boot -lab", "", "did you mean --lab?"},
		{"boot -ojson", "", "no parameter -ojson"},
		{"boot -nothinglikeit", "", "no parameter -nothinglikeit"},
		{"boot -Target x", "", "-Target is ambiguous: -TargetFqdn, -TargetUri, -TargetCertProvWsURL"},
		{"boot -PIN", "", "-PIN needs a value"},
		{"boot -PIN -Verbose", "", "-PIN needs a value"},
		{"boot -PIN --lab", "", "-PIN needs a value"},
		{"boot -PIN $pin", "", "-PIN: a PowerShell variable has no value here"},
		{"boot -Verbose:maybe", "", "-Verbose is a switch"},
		{"boot -Verbose: --lab", "", "in single quotes, since other shells than PowerShell have no $false"}, // $false is replaced by nothing
		{"boot -WhatIf", "", "-WhatIf is not taken"},
		{"boot -PIN 1 -PIN 2", "", "-PIN (--pin) is given twice"},
		{"boot --pin 1 -Pin 2", "", "-PIN (--pin) is given twice"},
		{"boot -Pin 1 --pin=2", "", "--pin is given twice"},
		{"boot -PhoneOrExt 1 -PhoneOrExtension 2", "", "-PhoneOrExtension (--phone-or-ext) is given twice"},
		{"Test-CsPhoneBootstrap a.example -TargetFqdn b.example", "", "-TargetFqdn (--target-fqdn) is given twice"},
		{"Get-CsUser -Identity x", "", "Get-CsUser is no command of lpe, which has Test-CsPhoneBootstrap alone"},
	} {
		got, notes, err := cmdletLine(words(test.in), bootFlagSet())
		text := strings.Join(notes, "\n")
		if err != nil {
			if test.want != "" {
				t.Errorf("%s: %v", test.in, err)
			}
			text = err.Error()
		} else if want := words(test.want); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", test.in, got, want)
		}
		if test.notes == "" && text != "" || !strings.Contains(text, test.notes) {
			t.Errorf("%s: says %q, want %q", test.in, text, test.notes)
		}
		if strings.Contains(text, "0712") {
			t.Errorf("%s: the PIN is repeated: %s", test.in, text)
		}
	}
}

// Every parameter of handset.md §7.1 is known by its name, its alias and in any case, and what it means is a flag.
func TestEveryParameterIsKnown(t *testing.T) {
	flags := bootFlagSet()
	seen := map[string]bool{}
	for _, p := range parameters {
		for _, name := range append([]string{p.name}, p.aliases...) {
			for _, written := range []string{name, strings.ToUpper(name), strings.ToLower(name)} {
				if got, err := find(written); err != nil || got.name != p.name {
					t.Errorf("-%s is %q, %v; want %s", written, got.name, err, p.name)
				}
			}
			if seen[strings.ToLower(name)] {
				t.Errorf("-%s means two things", name)
			}
			seen[strings.ToLower(name)] = true
		}
		if p.flag != "" && flags.Lookup(p.flag) == nil {
			t.Errorf("-%s is --%s, which lpe boot does not have", p.name, p.flag)
		}
		if p.flag == "" && p.note == "" && p.refusal == "" {
			t.Errorf("-%s is swallowed", p.name)
		}
	}
	for _, name := range []string{
		"PhoneOrExt", "PhoneOrExtension", "PIN", "TargetFqdn", "TargetUri", "UserSipAddress", "RegistrarPort", "OutVerboseVariable",
		"OutLoggerVariable", "Force", "Verbose", "ph", "t", "twsu", "ua", "rp", "ovv", "olv",
	} {
		if _, err := find(name); err != nil {
			t.Errorf("-%s: %v", name, err)
		}
	}
}

// reference are the command lines of Microsoft's "Testing Lync Phone Edition login in Lync Server 2013", as they are
// written there.
var reference = []string{
	`Get-CsAdminRole | Where-Object {$_.Cmdlets -match "Test-CsPhoneBootstrap"}`,
	`Test-CsPhoneBootstrap -PhoneOrExt "+12065551219" -Pin "0712"`,
	`Test-CsPhoneBootstrap -PhoneOrExt "+12065551219" -Pin "0712" -UserSipAddress "sip:kenmyer@litwareinc.com"`,
	`Get-CsUser -Identity "sip:kenmyer@litwareinc.com" | Select-Object SipAddress, LineUri`,
	`Get-CsClientPinInfo -Identity "sip:kenmyer@litwareinc.com"`,
	`Test-CsPhoneBootstrap -PhoneOrExt "+12065551219" -Pin "0712" -Verbose`,
	`Get-CsUser -Identity "sip:kenmyer@litwareinc.com"`,
	`Get-CsUser -Identity "sip:kenmyer@litwareinc.com" | Select-Object LineUri`,
	`Get-CsRegistrarConfiguration -Identity "global"`,
}

// thePIN is that of the lab's first user, but for digits of a duration.
var thePIN = regexp.MustCompile(`(?:^|[^0-9])0712(?:[^0-9]|$)`)

// TestReference runs each of them: the cmdlet's against the lab whose user the page names, with its quotes and without;
// the others, which ask the server's own configuration, are told where to run.
func TestReference(t *testing.T) {
	for _, line := range reference {
		for _, quote := range []string{`"`, ""} {
			t.Run(strings.ReplaceAll(line, `"`, quote), func(t *testing.T) {
				t.Parallel()
				args := strings.Fields(strings.ReplaceAll(line, `"`, quote))
				var out, errs bytes.Buffer
				if args[0] != cmdletName {
					if got := run(t.Context(), args, quietSystem(&out, &errs)); got != exitUsage || !strings.Contains(errs.String(), "Lync Server Management Shell") {
						t.Errorf("exit %d\n%s", got, &errs)
					}
					return
				}
				if got := run(t.Context(), append(args, "--lab"), quietSystem(&out, &errs)); got != exitSuccess {
					t.Errorf("exit %d\n%s%s", got, &out, &errs)
				}
				for _, want := range []string{"TargetFqdn : atl-cs-001.litwareinc.com\n", "Result     : Success\n"} {
					if !strings.Contains(out.String(), want) {
						t.Errorf("%q is not in\n%s", want, &out)
					}
				}
				if verbose := strings.Contains(errs.String(), `Using PIN auth with Phone\Ext : 12065551219 Pin : ****`); verbose != strings.Contains(line, "-Verbose") {
					t.Errorf("verbose %v\n%s", verbose, &errs)
				}
				if thePIN.MatchString(out.String() + errs.String()) {
					t.Errorf("the PIN is shown:\n%s%s", &out, &errs)
				}
			})
		}
	}
}

// FuzzCmdletLine: nothing panics; a line that is understood means the same when it is read again, has lpe's own flags in
// their order, and no word of PowerShell's is left in it.
func FuzzCmdletLine(f *testing.F) {
	for _, line := range append(reference, "boot --lab -v -o json -- -x", "boot -PIN:0712 -Verbose:$false -t a.b", "Test-CsPhoneBootstrap a.b -ua: x", "boot --timeout -1s -o") {
		f.Add(strings.ReplaceAll(line, " ", "\x00"))
	}
	flags := bootFlagSet()
	f.Fuzz(func(t *testing.T, text string) {
		in := strings.Split(text, "\x00")
		out, _, err := cmdletLine(in, flags)
		if err != nil {
			return
		}
		again, notes, err := cmdletLine(out, flags)
		if err != nil || len(notes) > 0 || !slices.Equal(out, again) {
			t.Fatalf("%q gives %q, and that %q, %q, %v", in, out, again, notes, err)
		}
		if out[0] != "boot" && !slices.Equal(in, out) && out[0] != "help" {
			t.Fatalf("%q, which is no boot, becomes %q", in, out)
		}
	})
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"PhonOrExt": "-PhoneOrExt", "phoneorex": "-PhoneOrExt", "PNI": "-PIN", "phone_or_ext": "-PhoneOrExt", "": "", "xyzzy": "",
		strings.Repeat("a", 10_000): "",
	} {
		if got := nearest(name, []string{"-PhoneOrExt", "-PIN"}); got != want {
			t.Errorf("%.20s: %q, want %q", name, got, want)
		}
	}
}
