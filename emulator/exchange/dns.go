package exchange

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS tells a question or an answer: the header, every question and every record of the answer section.
func DNS(message []byte) Content {
	var f fields
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil {
		f.add("broken", err.Error())
		return Content{"a message that cannot be read", f.list}
	}
	f.fresh("id", fmt.Sprintf("%04x", header.ID))
	f.add("flags", dnsFlags(header))
	if header.Response {
		f.add("code", dnsCode(header.RCode))
	}
	questions, err := p.AllQuestions()
	asked := "nothing"
	if err != nil {
		asked = "a question that cannot be read"
	}
	for i, q := range questions {
		text := oneLine(dnsType(q.Type) + " " + strings.TrimSuffix(q.Name.String(), "."))
		if i == 0 {
			asked = text
		}
		f.add("question", text)
	}
	var answers []dnsmessage.Resource
	if err == nil {
		answers, err = p.AllAnswers()
	}
	for _, a := range answers {
		f.add(dnsType(a.Header.Type)+" "+a.Header.Name.String(), fmt.Sprintf("%s, TTL %d s", dnsValue(a.Body), a.Header.TTL))
	}
	if err != nil {
		f.add("broken", err.Error())
	}
	if header.Response {
		return Content{"answer to " + asked + ": " + dnsCode(header.RCode), f.list}
	}
	return Content{asked, f.list}
}

func dnsFlags(h dnsmessage.Header) string {
	var out []string
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"answer", h.Response},
		{"authoritative", h.Authoritative},
		{"truncated", h.Truncated},
		{"recursion desired", h.RecursionDesired},
		{"recursion available", h.RecursionAvailable},
	} {
		if flag.set {
			out = append(out, flag.name)
		}
	}
	return strings.Join(out, ", ")
}

func dnsType(t dnsmessage.Type) string { return strings.TrimPrefix(t.String(), "Type") }

func dnsCode(c dnsmessage.RCode) string { return strings.TrimPrefix(c.String(), "RCode") }

func dnsValue(body dnsmessage.ResourceBody) string {
	switch r := body.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(r.A).String()
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(r.AAAA).String()
	case *dnsmessage.SRVResource:
		return fmt.Sprintf("priority %d, weight %d, port %d, %v", r.Priority, r.Weight, r.Port, r.Target)
	case *dnsmessage.CNAMEResource:
		return r.CNAME.String()
	case *dnsmessage.PTRResource:
		return r.PTR.String()
	case *dnsmessage.TXTResource:
		return fmt.Sprintf("%q", r.TXT)
	case *dnsmessage.UnknownResource:
		return fmt.Sprintf("%x", r.Data)
	}
	return "of another kind"
}
