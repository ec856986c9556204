package webservices

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// ticketLife is an example value; the real default has no source (web-services.md §3.3).
const ticketLife = 8 * time.Hour

// TicketKeySize is the size of the key of web tickets, in bytes.
const TicketKeySize = 32

// tickets write and read web tickets. Nothing is remembered of one: the proof key is in its assertion, wrapped by a key
// that belongs to its AssertionID, and the assertion is signed by another; both come of the pool's ticket key. So a
// ticket is good for as long as it says, after a restart with the same key as well.
type tickets struct{ key []byte }

// issued is what a ticket says (web-services.md §7.3).
type issued struct {
	user     string // SIP address
	audience string // URL of the port it is for
	key      []byte // proof key
	expires  time.Time
	genuine  bool // the assertion is as it was issued
}

// of is a key for one purpose.
func (t tickets) of(purpose string, text []byte) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(text)
	return h.Sum(nil)
}

// write makes the assertion with the fields and the proof key, always the same one.
func (t tickets) write(f webticket.AssertionFields, proofKey []byte) ([]byte, error) {
	var err error
	if f.EncryptedKey, err = webticket.WrapKey(t.of("wrap", []byte(f.ID)), proofKey); err != nil {
		return nil, err
	}
	f.Signature = nil
	f.Signature = t.of("sign", webticket.NewAssertion(f))
	return webticket.NewAssertion(f), nil
}

// read returns what the ticket in a proof says; ok means that the pool has issued one with its AssertionID.
func (t tickets) read(p soap.Proof) (i issued, ok bool) {
	f, err := webticket.ReadAssertion(p.Assertion)
	if err != nil {
		return i, false
	}
	i = issued{user: f.SIPAddress, audience: f.Audience, expires: f.Expires}
	if i.key, err = webticket.UnwrapKey(t.of("wrap", []byte(f.ID)), f.EncryptedKey); err != nil {
		return i, false
	}
	again, err := t.write(f, i.key)
	if err != nil {
		return i, false
	}
	want, err := soap.Parse(again)
	if err != nil {
		return i, false
	}
	i.genuine = soap.Alike(p.Assertion, want.Root())
	return i, true
}
