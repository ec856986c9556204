package soap

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// Errors of Proof.Verify and ReadProof.
var (
	ErrNoProof      = errors.New("no proof of possession")
	ErrReference    = errors.New("the signature does not refer to the timestamp")
	ErrAlgorithm    = errors.New("the signature uses another algorithm")
	ErrDigest       = errors.New("the timestamp's digest is wrong")
	ErrSignature    = errors.New("the signature is wrong")
	ErrTimestamp    = errors.New("the timestamp cannot be read")
	ErrKeyReference = errors.New("the signature does not name the assertion")
)

// PSHA1 is P_SHA1 of RFC 2246 §5, as WS-Trust's CK/PSHA1 computes keys: n bytes of secret and seed.
func PSHA1(secret, seed []byte, n int) []byte {
	mac := hmac.New(sha1.New, secret)
	sum := func(parts ...[]byte) []byte {
		mac.Reset()
		for _, p := range parts {
			mac.Write(p)
		}
		return mac.Sum(nil)
	}
	var out []byte
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}

// Canonicalize writes e in exclusive canonical form, e being part of a document.
func Canonicalize(e *etree.Element) ([]byte, error) {
	context, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		return nil, fmt.Errorf("canonical form of %s: %w", e.Tag, err)
	}
	detached, err := etreeutils.NSDetatch(context, e)
	if err != nil {
		return nil, fmt.Errorf("canonical form of %s: %w", e.Tag, err)
	}
	return dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(detached)
}

// AppendSecurity writes the three children of wsse:Security without gaps: the timestamp that wraps the inner XML of the
// ticket's Lifetime, the assertion as it was received, and the signature over the timestamp (web-services.md §4.2).
// The prefixes saml, wsse and wsu are those of the envelope around it.
func AppendSecurity(b, lifetimeInner, assertion []byte, id string, key []byte) ([]byte, error) {
	timestamp := fmt.Sprintf(`<wsu:Timestamp xmlns:wsu="%s" wsu:Id="timestamp">%s</wsu:Timestamp>`, NSUtility, lifetimeInner)
	doc, err := Parse([]byte(timestamp))
	if err != nil {
		return nil, fmt.Errorf("lifetime: %w", err)
	}
	canonical, err := Canonicalize(doc.Root())
	if err != nil {
		return nil, err
	}
	info := signedInfo(sha1.Sum(canonical))
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(info))
	b = append(b, timestamp...)
	b = append(b, assertion...)
	return fmt.Appendf(b, `<Signature xmlns="%s">%s<SignatureValue>%s</SignatureValue><KeyInfo><wsse:SecurityTokenReference wsse:TokenType="%s">`+
		`<wsse:KeyIdentifier ValueType="%s">%s</wsse:KeyIdentifier></wsse:SecurityTokenReference></KeyInfo></Signature>`,
		NSSignature, info, base64.StdEncoding.EncodeToString(mac.Sum(nil)), TokenSAML11, assertionID, Escape(id)), nil
}

// signedInfo is in canonical form already: no empty-element tags, one namespace.
func signedInfo(digest [sha1.Size]byte) string {
	return fmt.Sprintf(`<SignedInfo xmlns="%s"><CanonicalizationMethod Algorithm="%s"></CanonicalizationMethod>`+
		`<SignatureMethod Algorithm="%s"></SignatureMethod><Reference URI="#timestamp"><Transforms><Transform Algorithm="%s"></Transform></Transforms>`+
		`<DigestMethod Algorithm="%s"></DigestMethod><DigestValue>%s</DigestValue></Reference></SignedInfo>`,
		NSSignature, exclusiveC14N, hmacSHA1, exclusiveC14N, digestSHA1, base64.StdEncoding.EncodeToString(digest[:]))
}

// Proof is the WS-Security header of a request that was signed with a web ticket.
type Proof struct {
	AssertionID      string
	Created, Expires time.Time
	Assertion        *etree.Element

	timestamp, signature *etree.Element
}

// ReadProof finds the header. It checks that everything is there, not that it is right.
func ReadProof(doc *etree.Document) (Proof, error) {
	security := Path(doc.Root(), "Header", "Security")
	p := Proof{Assertion: Child(security, "Assertion"), timestamp: Child(security, "Timestamp"), signature: Child(security, "Signature")}
	if security == nil {
		return p, fmt.Errorf("%w: no Security", ErrNoProof)
	}
	for _, name := range []string{"Timestamp", "Assertion", "Signature"} {
		if n := children(security, name); n != 1 {
			return p, fmt.Errorf("%w: %d elements %s in Security, one expected", ErrNoProof, n, name)
		}
	}
	p.AssertionID = Attr(p.Assertion, "AssertionID")
	if id := Text(Find(Child(p.signature, "KeyInfo"), "KeyIdentifier")); p.AssertionID == "" || id != p.AssertionID {
		return p, ErrKeyReference
	}
	var err error
	if p.Created, err = instant(p.timestamp, "Created"); err != nil {
		return p, err
	}
	p.Expires, err = instant(p.timestamp, "Expires")
	return p, err
}

func children(e *etree.Element, local string) int {
	n := 0
	for child := range e.ChildElementsSeq() {
		if child.Tag == local {
			n++
		}
	}
	return n
}

func instant(e *etree.Element, local string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, Text(Child(e, local)))
	if err != nil {
		return t, fmt.Errorf("%w: %s: %w", ErrTimestamp, local, err)
	}
	return t, nil
}

// Verify checks digest and signature with the proof key; blanks between the elements do not matter.
func (p Proof) Verify(key []byte) error {
	info := Child(p.signature, "SignedInfo")
	references := FindAll(info, "Reference")
	if len(references) != 1 || Attr(references[0], "URI") != "#"+Attr(p.timestamp, "Id") || Attr(p.timestamp, "Id") == "" {
		return ErrReference
	}
	for _, want := range []struct{ local, algorithm string }{
		{"CanonicalizationMethod", exclusiveC14N}, {"SignatureMethod", hmacSHA1}, {"Transform", exclusiveC14N}, {"DigestMethod", digestSHA1},
	} {
		found := FindAll(info, want.local)
		if len(found) != 1 {
			return fmt.Errorf("%w: %d elements %s, one expected", ErrAlgorithm, len(found), want.local)
		}
		if got := Attr(found[0], "Algorithm"); got != want.algorithm {
			return fmt.Errorf("%w: %s is %q", ErrAlgorithm, want.local, got)
		}
	}
	canonical, err := Canonicalize(p.timestamp)
	if err != nil {
		return err
	}
	digest := sha1.Sum(canonical)
	if got, err := base64.StdEncoding.DecodeString(Text(Find(info, "DigestValue"))); err != nil || !bytes.Equal(got, digest[:]) {
		return ErrDigest
	}
	if canonical, err = Canonicalize(info); err != nil {
		return err
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(canonical)
	got, err := base64.StdEncoding.DecodeString(Text(Child(p.signature, "SignatureValue")))
	if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
		return ErrSignature
	}
	return nil
}
