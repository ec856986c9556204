package sipmessage

import (
	"strconv"
	"strings"
)

// SignatureFields are the parts of a message that enter a signature, spelled as in the message ([MS-SIPAE] 3.2.5.2,
// sip.md §3.1). What is missing is empty.
type SignatureFields struct {
	CallID, CSeqNum, CSeqMethod string
	FromURI, FromTag            string
	ToURI, ToTag                string
	PAISip, PAITel              string // first sip: and first tel: URI of P-Asserted-Identity, without one of P-Preferred-Identity
	Expires                     string // the header's, never a Contact's
	Status                      string // of a response
}

// Fields returns the parts of m that enter its signature.
func Fields(m *Message) SignatureFields {
	f := SignatureFields{CallID: m.CallID(), Expires: m.Get("Expires")}
	f.CSeqNum, f.CSeqMethod = m.CSeq()
	if a, err := ParseAddress(m.Get("From")); err == nil {
		f.FromURI, f.FromTag = a.URI, a.Tag()
	}
	if a, err := ParseAddress(m.Get("To")); err == nil {
		f.ToURI, f.ToTag = a.URI, a.Tag()
	}
	asserted := m.Values("P-Asserted-Identity")
	if len(asserted) == 0 {
		asserted = m.Values("P-Preferred-Identity")
	}
	for _, value := range asserted {
		addresses, err := ParseAddresses(value)
		if err != nil {
			continue // not an identity: it does not enter
		}
		for _, a := range addresses {
			switch {
			case f.PAISip == "" && strings.HasPrefix(strings.ToLower(a.URI), "sip:"):
				f.PAISip = a.URI
			case f.PAITel == "" && strings.HasPrefix(strings.ToLower(a.URI), "tel:"):
				f.PAITel = a.URI
			}
		}
	}
	if !m.IsRequest() {
		f.Status = strconv.Itoa(m.Status)
	}
	return f
}
