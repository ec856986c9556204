package dhcpconfig

import (
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// keaLines are for Kea, which has no definition of option 120 and no lcase() (discovery.md §4).
func keaLines(p page, v *Values) {
	p.note(`Kea: members of "Dhcp4". If the file has these lists already, add the entries to them.`)
	if v.vlan != 0 {
		p.noteVLAN()
	}
	definitions := []string{`{ "name": "UCSipServer", "code": 120, "type": "record", "record-types": "uint8, fqdn" }`}
	options := []string{
		fmt.Sprintf(`{ "name": "UCSipServer", "data": "0, %s" }`, v.sip),
		`{ "name": "vendor-encapsulated-options" }`,
	}
	for _, sub := range v.uc.SubOptions() {
		name := subOptionNames[sub.Code]
		definitions = append(definitions, fmt.Sprintf(`{ "space": "MSUCClient", "name": "%s", "code": %d, "type": "string" }`, name, sub.Code))
		options = append(options, fmt.Sprintf(`{ "space": "MSUCClient", "name": "%s", "data": "%s" }`, name, sub.Value))
	}
	classes := []string{keaClass("MSUCClient", fmt.Sprintf("option[60].text == '%s'", dhcpoption.ClassUC), options)}
	if v.vlan != 0 {
		definitions = append(definitions,
			fmt.Sprintf(`{ "space": "CPEOCPHONE", "name": "VLANID", "code": %d, "type": "uint16" }`, dhcpoption.SubVLAN))
		// The test takes CPE-OCPHONE and CPE-OCPhone.
		classes = append(classes, keaClass("CPEOCPHONE", "substring(option[60].text,0,7) == 'CPE-OCP'", []string{
			`{ "name": "vendor-encapsulated-options" }`,
			fmt.Sprintf(`{ "space": "CPEOCPHONE", "name": "VLANID", "data": "%d" }`, v.vlan),
		}))
	}
	p.line("\"option-def\": [\n  %s\n],", strings.Join(definitions, ",\n  "))
	p.line("\"client-classes\": [\n  %s\n]", strings.Join(classes, ",\n  "))
}

// keaClass has its own definition of option 43: which space it holds differs from class to class.
func keaClass(space, test string, options []string) string {
	return fmt.Sprintf(`{
    "name": "%s",
    "test": "%s",
    "option-def": [
      { "name": "vendor-encapsulated-options", "code": 43, "type": "empty", "encapsulate": "%[1]s" }
    ],
    "option-data": [
      %[3]s
    ]
  }`, space, test, strings.Join(options, ",\n      "))
}
