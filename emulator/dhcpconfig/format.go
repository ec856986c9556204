package dhcpconfig

import (
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// Format is one way to write values.
type Format struct {
	Name   string // as `lpe dhcp encode --format` takes it
	Server string // whose configuration it is; "" for the bare bytes
	Tested bool   // a test loads the text into that server and reads the options that come back

	comment string // begins a comment line of that server
	lines   func(page, *Values)
}

// Formats are all of them.
func Formats() []Format {
	return []Format{
		{Name: "hex", comment: "#", lines: hexLines},
		{Name: "isc", Server: "ISC dhcpd", Tested: true, comment: "#", lines: iscLines},
		{Name: "kea", Server: "Kea", Tested: true, comment: "//", lines: keaLines},
		{Name: "dnsmasq", Server: "dnsmasq", Tested: true, comment: "#", lines: dnsmasqLines},
		{Name: "ios", Server: "Cisco IOS", comment: "!", lines: iosLines},
		{Name: "windows-netsh", Server: "Windows Server", comment: "rem", lines: netshLines},
		{Name: "windows-powershell", Server: "Windows Server", comment: "#", lines: powershellLines},
	}
}

// Find returns the format of that name.
func Find(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, fmt.Errorf("format %q is unknown: it is %s or %s", name, strings.Join(names[:len(names)-1], ", "), names[len(names)-1])
}

// Text is the values in this format. What a server cuts or mangles, and that a text is untested, stands in comment lines,
// so that the whole can be pasted.
func (f Format) Text(v *Values) string {
	var b strings.Builder
	p := page{&b, f.comment}
	if f.Server != "" && !f.Tested {
		p.note("untested: no test has loaded this into %s.", f.Server)
	}
	if size := len(v.option120) + len(v.option43); size > together {
		p.note("Options 120 and 43 have %d bytes together. A handset takes messages of 576 bytes, and a server that keeps", size)
		p.note("to this leaves out what does not fit: names of %d characters together do.", len(v.sip)+len(v.uc.Host)-(size-together))
	}
	f.lines(p, v)
	return b.String()
}

// together is how many bytes options 120 and 43 may have in a message of 576 bytes, the size that RFC 2131, 2, gives a
// client that names none: measured with dnsmasq 2.90, which adds options of its own. ISC dhcpd 4.4.3 finds room for 294,
// Kea 2.2.0 does not keep to the size.
const together = 276

// subOptionNames are those of class MS-UC-Client, by code, as Microsoft's DHCPConfigScript.bat gives them ([T14]).
var subOptionNames = map[uint8]string{
	dhcpoption.SubIdentifier: "UCIdentifier",
	dhcpoption.SubScheme:     "URLScheme",
	dhcpoption.SubHost:       "WebServerFqdn",
	dhcpoption.SubPort:       "WebServerPort",
	dhcpoption.SubPath:       "CertProvRelPath",
}

// page is a text with its server's comment lines.
type page struct {
	b       *strings.Builder
	comment string
}

func (p page) line(format string, args ...any) { fmt.Fprintf(p.b, format+"\n", args...) }

func (p page) note(format string, args ...any) { p.line(p.comment+" "+format, args...) }

// noteVLAN says what is not known about sub-option 10 (discovery.md §1.2).
func (p page) noteVLAN() {
	p.note("The VLAN as two bytes is inferred: no source tells how a handset wants it.")
}

func hexLines(p page, v *Values) {
	p.note("Class %s (option 60)", dhcpoption.ClassUC)
	p.line("option 120: %x", v.option120)
	p.line("option 43: %x", v.option43)
	if v.vlan != 0 {
		p.note("Class %s (option 60)", dhcpoption.ClassVLAN)
		p.noteVLAN()
		p.line("option 43: %x", v.option43VLAN)
	}
}
