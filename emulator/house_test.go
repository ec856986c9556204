// Package emulator_test holds the house to its plan: who may import what, and who may touch clock, files and network.
package emulator_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
)

const module = "github.com/phone-edition/lpe"

// permit lets a room import a package that is not of the standard library. A name that ends in /... stands for
// everything below it and for itself. Packages of this module are written without the module's name.
type permit struct{ room, imports, reason string }

var permits = []permit{
	{"protocol/dhcpoption", "github.com/insomniacslk/dhcp/dhcpv4", "types and parser of DHCP; only the order of options is ours"},
	{"protocol/soap", "github.com/beevik/etree", "XML that is read is a tree"},
	{"protocol/soap", "github.com/russellhaering/goxmldsig/...", "exclusive canonicalisation of what is signed"},
	{"protocol/webticket", "github.com/beevik/etree", "XML that is read is a tree"},
	{"protocol/webticket", "protocol/soap", "a web ticket travels in SOAP"},
	{"protocol/certprov", "github.com/beevik/etree", "XML that is read is a tree"},
	{"protocol/certprov", "github.com/smallstep/pkcs7", "root chains come as PKCS #7"},
	{"protocol/certprov", "protocol/soap", "certificate provisioning travels in SOAP"},
	{"protocol/ntlm", "golang.org/x/crypto/md4", "the hash of a password is MD4, which the standard library leaves out"},

	{"configs", "devicestate", "faults and glass texts are keyed by state, stage and code"},
	{"configs", "github.com/goccy/go-yaml/...", "profiles, labs and faults are YAML, checked with line and excerpt"},
	{"emulator/timeline", "devicestate", "an observation names the state it was made in"},

	{"emulator/exchange", "protocol/...", "it tells what messages of every protocol say"},
	{"emulator/exchange", "devicestate", "a message names the state it was seen in"},
	{"emulator/exchange", "emulator/timeline", "fields are those of observations"},
	{"emulator/exchange", "golang.org/x/net/dns/dnsmessage", "DNS messages"},
	{"emulator/exchange", "github.com/goccy/go-yaml/ast", "messages in a scenario"},

	{"emulator/credentials", "emulator/secret", "PINs that are read"},
	{"emulator/credentials", "emulator/wholefile", "files that only their owner may read"},

	{"emulator/ethernet", "gvisor.dev/gvisor/...", "the only user-space TCP/IP"},
	{"emulator/ethernet", "protocol/arp", "ARP of its stations, which below it nobody speaks"},
	{"emulator/ethernet", "golang.org/x/sys/unix", "the packet socket and the link news of a bridged interface"},
	{"emulator/ethernet", "golang.org/x/net/bpf", "the filter of that socket"},
	{"emulator/sipstack", "github.com/emiago/sipgo/...", "the only importer of sipgo"},
	{"emulator/sipstack", "protocol/sipmessage", "it hands messages over without showing sipgo's types"},

	{"emulator/handset", "protocol/...", "the handset speaks every protocol"},
	{"emulator/handset", "devicestate", "the handset performs what the table says"},
	{"emulator/handset", "configs", "a profile says how this firmware does it"},
	{"emulator/handset", "emulator/secret", "PIN and password"},
	{"emulator/handset", "emulator/timeline", "what the handset did and saw"},
	{"emulator/handset", "emulator/ethernet", "its station on the cable"},
	{"emulator/handset", "emulator/exchange", "what its messages say"},
	{"emulator/handset", "emulator/sipstack", "its SIP connection"},
	{"emulator/handset", "emulator/wholefile", "its flash file"},
	{"emulator/handset", "github.com/insomniacslk/dhcp/dhcpv4", "the types that protocol/dhcpoption encodes and parses"},
	{"emulator/handset", "golang.org/x/net/dns/dnsmessage", "its resolver"},
	{"emulator/handset", "github.com/beevik/ntp", "its time client"},
	{"emulator/handset", "github.com/Azure/go-ntlmssp", "its side of NTLM"},

	{"emulator/labpool/...", "protocol/...", "the pool speaks every protocol, from the other side"},
	{"emulator/labpool/...", "configs", "a lab says what this pool is"},
	{"emulator/labpool/...", "emulator/timeline", "what the pool did and saw"},
	{"emulator/labpool/...", "emulator/ethernet", "its stations on the cable"},
	{"emulator/labpool/...", "emulator/labpool/...", "the pool is made of its services"},
	{"emulator/labpool/interpose", "emulator/exchange", "what the messages say that it overhears"},
	{"emulator/labpool/authority", "emulator/wholefile", "keys and published certificates survive a restart"},
	{"emulator/labpool/directory", "emulator/wholefile", "PINs and locks survive a restart"},
	{"emulator/labpool/manage", "emulator/secret", "the token and PINs that are set"},
	{"emulator/labpool/manage", "emulator/wholefile", "the ready file"},
	{"emulator/labpool/dhcpserver", "github.com/insomniacslk/dhcp/...", "the types that protocol/dhcpoption encodes and parses, and domain names"},
	{"emulator/labpool/nameserver", "golang.org/x/net/dns/dnsmessage", "DNS messages"},
	{"emulator/labpool/webservices", "github.com/beevik/etree", "the trees that protocol/soap parses"},
	{"emulator/labpool/registrar", "emulator/sipstack", "its SIP connections"},

	{"emulator/trace", "emulator/timeline", "JSON lines of observations"},
	{"emulator/trace", "emulator/ethernet", "the frames that the cable's tap hands out"},
	{"emulator/trace", "github.com/gopacket/gopacket/...", "pcapng with decryption secrets"},
	{"emulator/report", "emulator/timeline", "progress is read from observations"},
	{"emulator/report", "emulator/exchange", "as much of a message as a reader takes in"},
	{"emulator/report", "emulator/trace", "events as JSON lines, one of its output forms"},
	{"emulator/report", "emulator/wholefile", "its files are written whole or not at all"},
	{"emulator/report", "protocol/dhcpoption", "what DHCP servers answered is told byte and meaning"},
	{"emulator/report", "github.com/insomniacslk/dhcp/dhcpv4", "the types that protocol/dhcpoption parses"},
	{"emulator/report", "devicestate", "results name states and codes"},
	{"emulator/report", "configs", "glass texts with provenance"},
	{"emulator/report", "github.com/goccy/go-yaml", "diagnoses.yaml"},
	{"emulator/report", "go.uber.org/zap/...", "the diary of commands that run long"},

	{"emulator/dhcpconfig", "protocol/dhcpoption", "the bytes that a server's configuration has to make"},

	{"emulator/rig", "devicestate", "it puts a run together"},
	{"emulator/rig", "configs", "it puts a run together"},
	{"emulator/rig", "emulator/...", "it puts a run together"},
	{"emulator/probe", "configs", "the profile that it judges for, and the lab that imitates what it saw"},
	{"emulator/probe", "protocol/...", "metadata and challenges that a pool shows to everybody"},
	{"emulator/probe", "devicestate", "it looks where the code of the failure points"},
	{"emulator/probe", "emulator/handset", "it looks from the handset's place in the network"},
	{"emulator/probe", "emulator/report", "what it found is part of the result"},
	{"emulator/probe", "emulator/rig", "it looks after a run"},
	{"emulator/probe", "emulator/timeline", "it says when it begins"},
	{"emulator/exporter", "configs", "its modules"},
	{"emulator/exporter", "devicestate", "codes of refusals"},
	{"emulator/exporter", "emulator/credentials", "PINs from files"},
	{"emulator/exporter", "emulator/handset", "what a handset signs in with and keeps"},
	{"emulator/exporter", "emulator/report", "results"},
	{"emulator/exporter", "emulator/rig", "boots"},
	{"emulator/exporter", "emulator/secret", "PINs"},
	{"emulator/exporter", "emulator/wholefile", "the file of refused PINs"},
	{"emulator/exporter", "github.com/prometheus/client_golang/...", "metrics"},
	{"emulator/exporter", "go.uber.org/zap", "the diary of its probes"},
	{"scenarios/format", "configs", "profiles, labs and faults that a scenario names, and the way of reading YAML"},
	{"scenarios/format", "devicestate", "what states can follow on each other"},
	{"scenarios/format", "emulator/exchange", "the messages of a recorded boot"},
	{"scenarios/format", "emulator/credentials", "what is a SIP address"},
	{"scenarios/format", "emulator/labpool", "the lab of a scenario that names none"},
	{"scenarios/format", "emulator/labpool/faults", "faults with their parameters"},
	{"scenarios/format", "emulator/rig", "the profile of a scenario that names none"},
	{"scenarios/format", "emulator/timeline", "messages are selected by what the timeline tells of them"},
	{"scenarios/library", "scenarios/format", "its files"},
	{"scenarios/course", "configs", "the profile that is most like a handset"},
	{"scenarios/course", "devicestate", "what state a message was sent in"},
	{"scenarios/course", "emulator/exchange", "the messages of a boot"},
	{"scenarios/course", "emulator/rig", "the profile where none is like the handset"},
	{"scenarios/course", "protocol/dhcpoption", "the VLAN in option 43"},
	{"scenarios/course", "github.com/insomniacslk/dhcp/dhcpv4", "the names of DHCP's messages"},
	{"scenarios/record", "configs", "which labs there are by name"},
	{"scenarios/record", "devicestate", "the state that a boot came to"},
	{"scenarios/record", "scenarios/course", "what a pool's recording tells of its handset"},
	{"scenarios/record", "emulator/report", "what came of a boot"},
	{"scenarios/record", "emulator/labpool/interpose", "what a pool hears"},
	{"scenarios/record", "emulator/exchange", "the messages that are recorded"},
	{"scenarios/record", "emulator/timeline", "it is an observer"},
	{"scenarios/matrix", "configs", "profiles"},
	{"scenarios/matrix", "emulator/exchange", "the messages of baselines"},
	{"scenarios/matrix", "emulator/report", "JUnit"},
	{"scenarios/matrix", "emulator/wholefile", "baselines are written whole or not at all"},
	{"scenarios/matrix", "scenarios/compare", "what differs from a baseline"},
	{"scenarios/matrix", "scenarios/format", "scenarios with other profiles"},
	{"scenarios/matrix", "scenarios/run", "what a scenario gave"},
	{"scenarios/matrix", "github.com/goccy/go-yaml/...", "baselines"},
	{"scenarios/importer", "protocol/...", "a capture is read with the codecs that a boot uses"},
	{"scenarios/importer", "configs", "the profile that is most like what was captured"},
	{"scenarios/importer", "devicestate", "what state a message was sent in"},
	{"scenarios/importer", "emulator/exchange", "the messages of a captured boot"},
	{"scenarios/importer", "emulator/labpool", "the lab of a scenario"},
	{"scenarios/importer", "emulator/rig", "the error about a computer without tshark"},
	{"scenarios/importer", "scenarios/course", "states and profile of a captured handset"},
	{"scenarios/importer", "emulator/wholefile", "keys in private files"},
	{"scenarios/importer", "scenarios/compare", "a capture is one of the sides"},
	{"scenarios/importer", "scenarios/format", "what it writes has to be a scenario"},
	{"scenarios/importer", "github.com/insomniacslk/dhcp/dhcpv4", "the types that protocol/dhcpoption parses"},
	{"scenarios/importer", "golang.org/x/net/dns/dnsmessage", "DNS messages"},
	{"scenarios/replay", "protocol/...", "messages are given what was recorded"},
	{"scenarios/replay", "devicestate", "whether the recorded boot came to Ready"},
	{"scenarios/replay", "configs", "the lab with the names that were recorded"},
	{"scenarios/replay", "emulator/labpool/interpose", "what changes the answers of a pool"},
	{"scenarios/replay", "emulator/rig", "the pool that is served"},
	{"scenarios/replay", "github.com/beevik/etree", "XML bodies"},
	{"scenarios/replay", "github.com/insomniacslk/dhcp/dhcpv4", "the types that protocol/dhcpoption parses"},
	{"scenarios/replay", "golang.org/x/net/dns/dnsmessage", "DNS messages"},
	{"scenarios/replay", "emulator/exchange", "the messages that were recorded"},
	{"scenarios/replay", "emulator/timeline", "the origin of their values"},
	{"scenarios/replay", "scenarios/compare", "what comes out otherwise"},
	{"scenarios/replay", "scenarios/course", "who signed in"},
	{"scenarios/replay", "scenarios/format", "what it replays"},
	{"scenarios/replay", "scenarios/record", "the messages of the replay"},
	{"scenarios/replay", "scenarios/run", "it runs the scenario"},
	{"scenarios/run", "scenarios/record", "the messages of a run"},
	{"scenarios/run", "configs", "users of the lab, and its settings"},
	{"scenarios/run", "devicestate", "states, events and what flash holds"},
	{"scenarios/run", "emulator/...", "it puts a run together and looks at what came of it"},
	{"scenarios/run", "scenarios/format", "what it runs"},
	{"emulator/cmd/lpe", "scenarios/...", "the commands"},
	{"scenarios/compare", "configs", "a profile is one of the sides, and masks are read as all YAML is"},
	{"scenarios/compare", "devicestate", "messages name states"},
	{"scenarios/compare", "emulator/exchange", "the messages that are compared"},
	{"scenarios/compare", "scenarios", "the masks"},
	{"scenarios/compare", "scenarios/format", "a recording is one of the sides"},
	{"scenarios/compare", "scenarios/library", "a scenario by its name"},
	{"scenarios/compare", "scenarios/run", "a scenario is run for its messages"},
	{"emulator/cmd/lpe", "devicestate", "the commands"},
	{"emulator/cmd/lpe", "configs", "the commands"},
	{"emulator/cmd/lpe", "protocol/dhcpoption", "lpe dhcp decode"},
	{"emulator/cmd/lpe", "emulator/...", "the commands"},
	{"emulator/cmd/lpe", "github.com/spf13/cobra", "the command line"},
	{"emulator/cmd/lpe", "github.com/spf13/pflag", "the type of cobra's flags: names to suggest"},
	{"emulator/cmd/lpe", "golang.org/x/term", "asking for the PIN without echo"},
}

// denials are imports that a permit above would let through.
var denials = []permit{
	{"emulator/labpool/...", "emulator/handset", "the pool never knows the handset"},
	{"emulator/rig", "emulator/cmd/...", "commands are above"},
	{"scenarios/...", "emulator/cmd/...", "commands are above"},
}

func within(pattern, name string) bool {
	prefix, tree := strings.CutSuffix(pattern, "/...")
	return name == prefix || tree && strings.HasPrefix(name, prefix+"/")
}

// source is one Go file of the module that is not a test.
type source struct {
	room string // folder, with slashes
	name string
	file *ast.File
	set  *token.FileSet
}

func (s source) imports() []string {
	var out []string
	for _, spec := range s.file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser has accepted it
		}
		out = append(out, strings.TrimPrefix(name, module+"/"))
	}
	return out
}

// sources parses every file of the rooms, those for other systems and build tags included.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && len(entry.Name()) > 2 && entry.Name()[0] == '.' {
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(filepath.ToSlash(name), "../")
		out = append(out, source{path.Dir(name), name, file, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ofThisModuleOrForeign(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return strings.Contains(first, ".") || slices.Contains([]string{"protocol", "devicestate", "configs", "emulator", "scenarios"}, first)
}

func TestHouseImports(t *testing.T) {
	used := map[permit]bool{}
	for _, s := range sources(t) {
		for _, name := range s.imports() {
			if !ofThisModuleOrForeign(name) {
				continue
			}
			allowed := false
			for _, p := range permits {
				if within(p.room, s.room) && within(p.imports, name) {
					used[p], allowed = true, true
				}
			}
			for _, d := range denials {
				if within(d.room, s.room) && within(d.imports, name) {
					t.Errorf("%s imports %s: %s", s.name, name, d.reason)
				}
			}
			if !allowed {
				t.Errorf("%s imports %s, which %s may not", s.name, name, s.room)
			}
		}
	}
	for _, p := range permits {
		if p.reason == "" {
			t.Errorf("%s may import %s without a reason", p.room, p.imports)
		}
		if !used[p] {
			t.Errorf("%s may import %s and does not", p.room, p.imports)
		}
	}
}

// ban is something of the standard library that some rooms do without.
type ban struct {
	rooms, except []string
	name          string   // package
	selectors     []string // nil: the package as a whole
	reason        string
}

var (
	pure     = []string{"protocol/...", "devicestate"}
	anywhere = []string{"protocol/...", "devicestate", "configs", "emulator/...", "scenarios/..."}
)

var bans = []ban{
	{
		anywhere, nil, "log",
		[]string{
			"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Output", "Default", "Writer",
			"SetOutput", "SetFlags", "SetPrefix",
		},
		"no package writes to a logger that it was not given",
	},
	{
		anywhere, nil, "log/slog",
		[]string{
			"Debug", "DebugContext", "Info", "InfoContext", "Warn", "WarnContext", "Error", "ErrorContext", "Log", "LogAttrs", "Default",
			"SetDefault", "With",
		},
		"no package writes to a logger that it was not given",
	},
	{pure, nil, "log", nil, "a codec logs nothing"},
	{pure, nil, "log/slog", nil, "a codec logs nothing"},
	{anywhere, []string{"emulator/cmd/..."}, "os", []string{"Exit"}, "only a command ends the process"},
	{pure, nil, "os", nil, "a codec knows no files"},
	{pure, nil, "os/exec", nil, "a codec starts nothing"},
	{pure, nil, "net/http", nil, "a codec has no sockets"},
	{
		pure, nil, "time",
		[]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
		"a codec has no clock",
	},
	{
		pure, nil, "net",
		[]string{
			"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer", "Listen", "ListenPacket", "ListenTCP", "ListenUDP",
			"ListenConfig", "LookupHost", "LookupIP", "LookupAddr", "LookupSRV", "LookupTXT", "ResolveTCPAddr", "ResolveUDPAddr", "Resolver",
			"DefaultResolver", "Interfaces", "InterfaceByName",
		},
		"a codec has no sockets",
	},
}

func (b ban) applies(room string) bool {
	in := func(pattern string) bool { return within(pattern, room) }
	return slices.ContainsFunc(b.rooms, in) && !slices.ContainsFunc(b.except, in)
}

// selectors returns the names that s takes from the package, with their places.
func (s source) selectors(pkg string) map[string]string {
	local := ""
	for _, spec := range s.file.Imports {
		if spec.Path.Value != strconv.Quote(pkg) {
			continue
		}
		if local = path.Base(pkg); spec.Name != nil {
			local = spec.Name.Name
		}
	}
	out := map[string]string{}
	if local == "" {
		return out
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
				out[sel.Sel.Name] = s.set.Position(sel.Pos()).String()
			}
		}
		return true
	})
	return out
}

func TestHousePurity(t *testing.T) {
	for _, s := range sources(t) {
		for _, b := range bans {
			if !b.applies(s.room) || !slices.Contains(s.imports(), b.name) {
				continue
			}
			if b.selectors == nil {
				t.Errorf("%s imports %s: %s", s.name, b.name, b.reason)
				continue
			}
			for name, at := range s.selectors(b.name) {
				if slices.Contains(b.selectors, name) {
					t.Errorf("%s: %s.%s: %s", at, b.name, name, b.reason)
				}
			}
		}
	}
}

// TestHouseCodes looks for failure codes that the driver gives and diagnoses.yaml does not explain. It sees those
// that are written with stage and kind.
func TestHouseCodes(t *testing.T) {
	stages := map[string]devicestate.Stage{}
	for _, s := range devicestate.States() {
		stage := s.Stage()
		name := ""
		for _, part := range strings.Split(string(stage), "-") {
			name += strings.ToUpper(part[:min(1, len(part))]) + part[min(1, len(part)):]
		}
		stages["Stage"+name] = stage
	}
	codes := map[devicestate.Code]string{}
	for _, s := range sources(t) {
		if s.room == "emulator/handset" || s.room == "emulator/rig" {
			maps.Copy(codes, s.codes(stages))
		}
	}
	if len(codes) == 0 {
		t.Error("no code found")
	}
	for code, at := range codes {
		if _, ok := report.Lookup(code); !ok {
			t.Errorf("%s: %s has no entry in diagnoses.yaml", at, code)
		}
	}
}

// codes returns the codes of calls such as fail(devicestate.StageChain, "off", …), with their places.
func (s source) codes(stages map[string]devicestate.Stage) map[devicestate.Code]string {
	out := map[devicestate.Code]string{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		sel, isSelector := call.Args[0].(*ast.SelectorExpr)
		kind, isLiteral := call.Args[1].(*ast.BasicLit)
		if !isSelector || !isLiteral || stages[sel.Sel.Name] == "" {
			return true
		}
		if text, err := strconv.Unquote(kind.Value); err == nil && !strings.ContainsAny(text, " .") {
			out[devicestate.NewCode(stages[sel.Sel.Name], text)] = fmt.Sprint(s.set.Position(call.Pos()))
		}
		return true
	})
	return out
}
