package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/phone-edition/lpe/emulator/rig"
)

const cmdletName = "Test-CsPhoneBootstrap"

// parameter is one that a command line of Test-CsPhoneBootstrap may have (handset.md §7.1, and PowerShell's common
// ones).
type parameter struct {
	name     string
	aliases  []string
	flag     string // what it means to lpe boot, "": nothing
	isSwitch bool
	note     string // said when it is given
	refusal  string // why it is refused, "": it is not
}

var parameters = []parameter{
	{name: "PhoneOrExt", aliases: []string{"ph"}, flag: "phone-or-ext"},
	{name: "PhoneOrExtension", flag: "phone-or-ext"},
	{name: "PIN", flag: "pin"},
	{name: "TargetFqdn", aliases: []string{"t"}, flag: "target-fqdn"},
	{name: "TargetUri", aliases: []string{"twsu"}, flag: "target-uri"},
	{name: "TargetCertProvWsURL", flag: "target-uri"}, // of the beta
	{name: "UserSipAddress", aliases: []string{"ua"}, flag: "user-sip-address"},
	{name: "RegistrarPort", aliases: []string{"rp"}, flag: "registrar-port"},
	{name: "Verbose", aliases: []string{"vb"}, flag: "verbose", isSwitch: true},

	{name: "OutVerboseVariable", aliases: []string{"ovv"}, note: noVariable + ": -Verbose writes to standard error"},
	{name: "OutLoggerVariable", aliases: []string{"olv"}, note: noVariable + ": -o json has the whole result"},
	{name: "Force", isSwitch: true, note: "has no effect: no error is left out here"},
	{name: "Credential", note: "has no effect: lpe needs no role, and signs in with number and PIN"},
	{name: "Confirm", aliases: []string{"cf"}, isSwitch: true, note: "has no effect: nothing is asked"},
	{name: "WhatIf", aliases: []string{"wi"}, isSwitch: true, refusal: "a boot that sends nothing tells nothing"},
	{name: "Debug", aliases: []string{"db"}, isSwitch: true, note: "has no effect: -Verbose tells all there is"},
	{name: "ErrorAction", aliases: []string{"ea"}, note: noPreference},
	{name: "WarningAction", aliases: []string{"wa"}, note: noPreference},
	{name: "InformationAction", aliases: []string{"infa"}, note: noPreference},
	{name: "ProgressAction", aliases: []string{"proga"}, note: noPreference},
	{name: "ErrorVariable", aliases: []string{"ev"}, note: noVariable},
	{name: "WarningVariable", aliases: []string{"wv"}, note: noVariable},
	{name: "InformationVariable", aliases: []string{"iv"}, note: noVariable},
	{name: "OutVariable", aliases: []string{"ov"}, note: noVariable},
	{name: "OutBuffer", aliases: []string{"ob"}, note: noPreference},
	{name: "PipelineVariable", aliases: []string{"pv"}, note: noVariable},
}

const (
	noVariable   = "has no effect: there are no PowerShell variables here"
	noPreference = "has no effect: the exit code tells how it went"
)

// find returns the parameter that name means: the whole name or an alias in any case, else the beginning of names that
// mean the same.
func find(name string) (parameter, error) {
	var begun []parameter
	for _, p := range parameters {
		if strings.EqualFold(p.name, name) || slices.ContainsFunc(p.aliases, func(a string) bool { return strings.EqualFold(a, name) }) {
			return p, nil
		}
		if len(name) < len(p.name) && strings.EqualFold(p.name[:len(name)], name) {
			begun = append(begun, p)
		}
	}
	meanings, names := map[string]bool{}, []string{}
	for _, p := range begun {
		meanings[cmp.Or(p.flag, p.name)] = true
		names = append(names, "-"+p.name)
	}
	switch len(meanings) {
	case 0:
		return parameter{}, errNoParameter
	case 1:
		return begun[0], nil
	}
	return parameter{}, usage("-%s is ambiguous: %s", shown(name), strings.Join(names, ", "))
}

var errNoParameter = errors.New("no such parameter")

// cmdletLine makes a command line of lpe's own of one that is written as PowerShell writes it, and says in notes what
// of it has no effect. flags are those of lpe boot. A line without anything of PowerShell is returned as it is.
func cmdletLine(args []string, flags *pflag.FlagSet) (line, notes []string, err error) {
	if len(args) == 0 {
		return args, nil, nil
	}
	command := args[0]
	switch {
	case strings.EqualFold(command, cmdletName):
		command = "boot"
	case command == "help" && len(args) == 2 && strings.EqualFold(args[1], cmdletName):
		return []string{"help", "boot"}, nil, nil
	case isCmdlet(command):
		return args, nil, usage("%s is no command of lpe, which has %s alone: run it in the Lync Server Management Shell", command, cmdletName)
	case command != "boot":
		return args, nil, nil
	}
	named := command != args[0]
	r := reader{flags: flags, rest: args[1:], given: map[string]bool{}, cmdlet: named}
	if err := r.read(); err != nil {
		return append([]string{command}, args[1:]...), nil, err
	}
	if named && !r.help && !r.given["lab"] && !r.given["interface"] && !r.given["host"] {
		r.out = append(r.out, "--host")
		r.notes = append(r.notes, "--host is taken: the cmdlet, too, uses the sockets of the computer that it runs on; or give --interface or --lab")
	}
	return append(append([]string{command}, r.out...), r.tail...), r.notes, nil
}

// isCmdlet tells a name such as Get-CsUser.
func isCmdlet(word string) bool {
	verb, noun, ok := strings.Cut(strings.ToLower(word), "-cs")
	return ok && verb != "" && noun != "" && strings.Trim(verb+noun, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// reader reads the words of one command line.
type reader struct {
	flags  *pflag.FlagSet
	rest   []string
	out    []string
	tail   []string // from -- on
	bare   []int    // places in out of words that belong to no flag
	notes  []string
	given  map[string]bool // flags
	cmdlet bool            // it is PowerShell's
	help   bool
}

func (r *reader) next() string {
	word := r.rest[0]
	r.rest = r.rest[1:]
	return word
}

func (r *reader) read() error {
	for len(r.rest) > 0 {
		word := r.next()
		if word == "--" {
			r.tail = append([]string{word}, r.rest...)
			break
		}
		name, value, ok := parameterWord(word)
		if ok && !r.own(name) {
			r.cmdlet = true
			if err := r.parameter(name, value); err != nil {
				return err
			}
			continue
		}
		if err := r.ownWord(strings.Replace(word, longDash(word), "-", 1)); err != nil {
			return err
		}
	}
	return r.position()
}

// own reports whether a single letter is one of lpe's own flags.
func (r *reader) own(name string) bool {
	letter, _, _ := strings.Cut(name, "=")
	return letter == "h" || len(letter) == 1 && r.flags.ShorthandLookup(letter) != nil
}

// ownWord passes on a flag of lpe's own with its value, or a bare word.
func (r *reader) ownWord(word string) error {
	r.out = append(r.out, word)
	name, _, joined := strings.Cut(word, "=")
	var flag *pflag.Flag
	switch long, ok := strings.CutPrefix(name, "--"); {
	case ok:
		flag = r.flags.Lookup(long)
	case len(name) == 2 && name[0] == '-':
		flag = r.flags.ShorthandLookup(name[1:])
	case !strings.HasPrefix(name, "-"):
		r.bare = append(r.bare, len(r.out)-1)
		return nil
	}
	r.help = r.help || name == "--help" || name == "-h"
	if flag == nil {
		return nil // cobra tells
	}
	if err := r.once(flag.Name, "--"+flag.Name); err != nil {
		return err
	}
	if !joined && flag.NoOptDefVal == "" && len(r.rest) > 0 {
		r.out = append(r.out, r.next())
	}
	return nil
}

// once refuses what is given twice and has one value.
func (r *reader) once(flag, as string) error {
	mapped := slices.ContainsFunc(parameters, func(p parameter) bool { return p.flag == flag })
	if mapped && r.given[flag] {
		return usage("%s is given twice", as)
	}
	r.given[flag] = true
	return nil
}

// parameterWord takes a word such as -Name or -Name:value apart. PowerShell takes the longer dashes for the short one.
func parameterWord(word string) (name string, value *string, ok bool) {
	dash, size := utf8.DecodeRuneInString(word)
	if !strings.ContainsRune("-–—―", dash) {
		return "", nil, false
	}
	name = word[size:]
	if name == "" || !isLetter(name[0]) && name != "?" {
		return "", nil, false
	}
	if before, after, found := strings.Cut(name, ":"); found {
		return before, &after, true
	}
	return name, nil, true
}

// longDash is the dash that PowerShell takes for a short one and lpe's own flags do not, if word begins with one.
func longDash(word string) string {
	if dash, size := utf8.DecodeRuneInString(word); strings.ContainsRune("–—―", dash) {
		return word[:size]
	}
	return "-"
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

// shown is as much of a name as may be repeated: a PIN may be stuck to it.
func shown(name string) string {
	if i := strings.IndexAny(name, "0123456789="); i >= 0 {
		return name[:i] + "…"
	}
	return name
}

func (r *reader) parameter(name string, value *string) error {
	if name == "?" {
		r.out, r.help = append(r.out, "--help"), true
		return nil
	}
	p, err := find(name)
	switch {
	case err == errNoParameter:
		return unknown("parameter", "-", name, r.flags)
	case err != nil:
		return err
	case p.refusal != "":
		return usage("-%s is not taken: %s", p.name, p.refusal)
	case p.isSwitch:
		return r.take(p, value)
	}
	if value == nil || *value == "" {
		if len(r.rest) == 0 || isParameter(r.rest[0]) {
			return usage("-%s needs a value", p.name)
		}
		word := r.next()
		value = &word
	}
	text := unquoted(*value)
	switch {
	case strings.EqualFold(text, "$null"):
		return nil // as if it were not given
	case strings.HasPrefix(text, "$") && p.flag != "":
		return usage("-%s: a PowerShell variable has no value here", p.name)
	}
	return r.give(p, text)
}

func isParameter(word string) bool {
	_, _, ok := parameterWord(word)
	return ok || strings.HasPrefix(word, "--")
}

// take gives a switch.
func (r *reader) take(p parameter, value *string) error {
	if value != nil && *value == "" && len(r.rest) > 0 && !isParameter(r.rest[0]) { // -Switch: $false
		word := r.next()
		value = &word
	}
	text := "true"
	if value != nil {
		switch strings.TrimPrefix(strings.ToLower(unquoted(*value)), "$") {
		case "true", "1":
		case "false", "0":
			text = "false"
		default:
			return usage("-%s is a switch: -%s, or -%s:$false in single quotes, since other shells than PowerShell have no $false", p.name, p.name, p.name)
		}
	}
	if text == "false" && p.flag == "" {
		return nil
	}
	return r.give(p, text)
}

func (r *reader) give(p parameter, value string) error {
	if p.flag == "" {
		note := "-" + p.name + " " + p.note
		if !slices.Contains(r.notes, note) {
			r.notes = append(r.notes, note)
		}
		return nil
	}
	as := "-" + p.name + " (--" + p.flag + ")"
	if err := r.once(p.flag, as); err != nil {
		return err
	}
	r.out = append(r.out, "--"+p.flag+"="+value)
	return nil
}

// unquoted takes quotes off that the shell has left: cmd.exe leaves single ones, and none knows typographic ones.
func unquoted(s string) string {
	for _, pair := range []string{`""`, "''", "“”", "‘’", "„“"} {
		first, size := utf8.DecodeRuneInString(pair)
		last := pair[size:]
		inner, ok := strings.CutPrefix(s, string(first))
		if !ok {
			continue
		}
		if inner, ok = strings.CutSuffix(inner, last); ok {
			return inner
		}
	}
	return s
}

// position takes the one bare word of a cmdlet's line for its TargetFqdn.
func (r *reader) position() error {
	if !r.cmdlet || len(r.bare) != 1 {
		return nil // cobra refuses bare words
	}
	at := r.bare[0]
	word := unquoted(r.out[at])
	if rig.CheckFQDN(word) != nil {
		return nil
	}
	if err := r.once("target-fqdn", "-TargetFqdn (--target-fqdn)"); err != nil {
		return err
	}
	r.out[at] = "--target-fqdn=" + word
	return nil
}
