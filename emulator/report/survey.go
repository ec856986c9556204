package report

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// SurveySchema is the version of the JSON form of [Survey].
const SurveySchema = "lpe.dhcp-discover/1"

// DHCPPacket is one DHCP message (the UDP payload) as it passed.
type DHCPPacket struct {
	At       time.Time
	Sent     bool
	From, To netip.Addr
	Payload  []byte
}

// Survey is what a handset asked of DHCP, what came back, and what is wrong with it.
type Survey struct {
	Schema    string         `json:"schema"`
	Pool      string         `json:"pool"`    // registrar, of the ACK that a handset would use
	CertURL   string         `json:"certUrl"` // certificate provisioning URL of the same ACK
	VLAN      uint16         `json:"vlan"`    // offered to class CPE-OCPHONE, 0: none
	Questions []DHCPQuestion `json:"questions"`
	Mistakes  []DHCPMistake  `json:"mistakes"`
}

// DHCPQuestion is one message of the handset with the answers to it.
type DHCPQuestion struct {
	DHCPMessage
	At      Time         `json:"at"`
	Answers []DHCPAnswer `json:"answers"`

	xid uint32
}

// DHCPAnswer is one message of a server.
type DHCPAnswer struct {
	DHCPMessage
	After  Seconds `json:"after"`  // since the question
	From   string  `json:"from"`   // address it came from
	Server string  `json:"server"` // option 54, empty if absent
}

// DHCPMessage is one message, byte and meaning.
type DHCPMessage struct {
	Type    string       `json:"type"`  // DISCOVER to INFORM
	Class   string       `json:"class"` // option 60, empty if absent
	Packet  string       `json:"packet"`
	Options []DHCPOption `json:"options"`
	Broken  string       `json:"broken,omitempty"` // why the list of options breaks off
}

// DHCPOption is one option in wire order.
type DHCPOption struct {
	Code    uint8  `json:"code"`
	Name    string `json:"name"`
	Hex     string `json:"hex"`
	Meaning string `json:"meaning"`
}

// DHCPMistake is one mistake of a server, or its silence, with what mends it.
type DHCPMistake struct {
	Code   devicestate.Code `json:"code"`
	Server string           `json:"server"`
	Seen   string           `json:"seen"`
	Error  string           `json:"error"`
	Remedy string           `json:"remedy"`
	Source string           `json:"source"`
}

// OK reports whether a handset would find registrar and certificate URL.
func (s Survey) OK() bool { return s.Pool != "" && s.CertURL != "" }

// NewSurvey sorts packets, in the order in which they passed, into questions and answers and judges the answers.
func NewSurvey(packets []DHCPPacket) Survey {
	s := Survey{Schema: SurveySchema, Questions: []DHCPQuestion{}, Mistakes: []DHCPMistake{}}
	for _, p := range packets {
		if p.Sent {
			q := DHCPQuestion{DHCPMessage: newMessage(p.Payload), At: Time{p.At}, Answers: []DHCPAnswer{}, xid: xidOf(p.Payload)}
			s.Questions = append(s.Questions, q)
			continue
		}
		if q := s.asked(xidOf(p.Payload)); q != nil {
			a := DHCPAnswer{DHCPMessage: newMessage(p.Payload), After: Seconds(p.At.Sub(q.At.Time)), From: p.From.String()}
			s.judge(q, &a, p.Payload)
			q.Answers = append(q.Answers, a)
		}
	}
	s.judgeSilence()
	return s
}

// xidOf is the transaction (RFC 2131 figure 1), 0 of what is too short for one.
func xidOf(payload []byte) uint32 {
	if len(payload) < 8 {
		return 0
	}
	return binary.BigEndian.Uint32(payload[4:])
}

func (s *Survey) asked(xid uint32) *DHCPQuestion {
	for i := len(s.Questions) - 1; i >= 0; i-- {
		if s.Questions[i].xid == xid {
			return &s.Questions[i]
		}
	}
	return nil
}

func newMessage(payload []byte) DHCPMessage {
	m := DHCPMessage{Packet: hex.EncodeToString(payload), Options: []DHCPOption{}}
	list, err := dhcpoption.Describe(payload)
	if err != nil {
		m.Broken = err.Error()
	}
	for _, o := range list {
		m.Options = append(m.Options, DHCPOption{o.Code, o.Name, hex.EncodeToString(o.Value), o.Meaning})
		switch o.Code {
		case uint8(dhcpv4.OptionDHCPMessageType):
			m.Type = o.Meaning
		case dhcpoption.OptionClass:
			m.Class = string(o.Value)
		}
	}
	return m
}

// judge finds what is wrong with an answer, and what a handset would take from it.
func (s *Survey) judge(q *DHCPQuestion, a *DHCPAnswer, payload []byte) {
	m, err := dhcpoption.Parse(payload)
	if err != nil {
		a.Broken = err.Error()
		return
	}
	if id := m.ServerIdentifier(); id != nil {
		a.Server = id.String()
	}
	server := a.Server
	if server == "" {
		server = a.From
	}
	vendor, hasVendor := m.Options[dhcpoption.OptionVendor]
	switch {
	case q.Type == "INFORM" && a.Type == "ACK":
		pool, url := "", ""
		if value, ok := m.Options[dhcpoption.OptionSIPServers]; ok {
			names, err := dhcpoption.ParseSIPServers(value)
			if s.wrong(server, err); err == nil {
				pool = names[0]
			}
		} else {
			s.mistake("discovery.option120-missing", server, "the ACK has no option 120")
		}
		if hasVendor {
			uc, err := dhcpoption.ParseUC(vendor)
			if err == nil {
				url, err = uc.URL()
			}
			s.wrong(server, err)
		} else {
			s.mistake("discovery.option43-missing", server, "the ACK has no option 43")
		}
		if s.Pool == "" && (pool != "" || s.CertURL == "") { // the first ACK with a registrar wins, URL and all
			s.Pool, s.CertURL = pool, url
		}
	case strings.EqualFold(q.Class, dhcpoption.ClassVLAN) && hasVendor:
		vid, err := dhcpoption.ParseVLAN(vendor)
		if s.wrong(server, err); err == nil && vid != 0 {
			s.VLAN = vid
		}
	}
}

// wrong records the strict verdict on an option.
func (s *Survey) wrong(server string, err error) {
	var malformed *dhcpoption.Error
	if !errors.As(err, &malformed) {
		return
	}
	code := devicestate.NewCode(devicestate.StageDiscovery, malformed.Kind)
	if malformed.Kind == dhcpoption.KindVLANInvalid {
		code = devicestate.NewCode(devicestate.StageVlan, "invalid")
	}
	s.mistake(code, server, malformed.Error())
}

// mistake is recorded once a server.
func (s *Survey) mistake(code devicestate.Code, server, seen string) {
	for _, m := range s.Mistakes {
		if m.Code == code && m.Server == server {
			return
		}
	}
	d, _ := Lookup(code)
	s.Mistakes = append(s.Mistakes, DHCPMistake{code, server, seen, d.Error, d.Remedy, d.Source})
}

// judgeSilence finds the questions of a kind that nobody answered.
func (s *Survey) judgeSilence() {
	asked, answered := map[string]int{}, map[string]bool{}
	for _, q := range s.Questions {
		asked[q.Type]++
		if len(q.Answers) > 0 {
			answered[q.Type] = true
		}
	}
	for _, silence := range []struct {
		kind string
		code devicestate.Code
	}{{"DISCOVER", "address.no-offer"}, {"REQUEST", "address.no-ack"}, {"INFORM", "discovery.inform-unanswered"}} {
		if n := asked[silence.kind]; n > 0 && !answered[silence.kind] {
			s.mistake(silence.code, "", fmt.Sprintf("%d times %s and no answer", n, silence.kind))
		}
	}
}

// WriteSurveyJSON writes the survey as one indented JSON object.
func WriteSurveyJSON(w io.Writer, s Survey) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(s)
}

// WriteSurvey writes the survey as text: each message with its options, what a handset makes of it all, each mistake
// with what mends it.
func WriteSurvey(w io.Writer, s Survey) error {
	var b strings.Builder
	for _, q := range s.Questions {
		fmt.Fprintf(&b, "%s, %s\n", strings.TrimSpace(q.Type+" "+q.Class), q.At.UTC().Format("15:04:05.000"))
		writeOptions(&b, "  ", q.DHCPMessage)
		for _, a := range q.Answers {
			fmt.Fprintf(&b, "  %s from %s after %.3f s\n", a.Type, a.From, time.Duration(a.After).Seconds())
			writeOptions(&b, "    ", a.DHCPMessage)
		}
	}
	vlan := ""
	if s.VLAN != 0 {
		vlan = fmt.Sprint(s.VLAN)
	}
	for _, line := range [][2]string{{"Pool", s.Pool}, {"CertUrl", s.CertURL}, {"Vlan", vlan}} {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-7s : %s", line[0], line[1]), " ") + "\n")
	}
	for _, m := range s.Mistakes {
		fmt.Fprintf(&b, "%s %s\n  seen: %s\n  fix:  %s\n  source: %s\n", m.Code, strings.TrimSpace(m.Server+" "+m.Error), m.Seen, m.Remedy, m.Source)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeOptions(b *strings.Builder, indent string, m DHCPMessage) {
	for _, o := range m.Options {
		line := fmt.Sprintf("%s%3d %-22s %s", indent, o.Code, o.Name, o.Hex)
		if o.Meaning != "" {
			line += "  " + o.Meaning
		}
		b.WriteString(line + "\n")
	}
	if m.Broken != "" {
		fmt.Fprintf(b, "%s    %s\n", indent, m.Broken)
	}
}
