// Package deviceupdate is the query of the device update service and its answer. No capture and no specification of
// it is known: the names of both bodies are invented after the fields of the service's audit log (handset.md §3.3),
// and the image is a text file of the lab. A capture replaces this package's documents, not its users.
package deviceupdate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of a document.
const (
	MaxSize  = 256 << 10 // bytes
	MaxDepth = 64        // elements, the root is 1
)

// Errors that the Parse functions wrap.
var (
	ErrTooLarge  = errors.New("device update document is too large")
	ErrMalformed = errors.New("not a device update document")
	ErrDamaged   = errors.New("the image has another checksum than announced")
)

// ContentType of the query (invented).
const ContentType = "text/xml; charset=utf-8"

// Request is the handset's query: who it is and what it runs.
type Request struct {
	XMLName      xml.Name  `xml:"Request"`
	DeviceType   string    `xml:"DeviceType"` // UCPhone
	MACAddress   string    `xml:"MacAddress"` // upper case, hyphens: 00-04-F2-00-01-76; may be blank
	SerialNumber string    `xml:"SerialNumber"`
	Vendor       string    `xml:"Vendor"`
	Brand        string    `xml:"Brand"`
	Model        string    `xml:"Model"`
	Revision     string    `xml:"Revision"`
	Locale       string    `xml:"Locale"` // ENU
	Modules      []Module  `xml:"Modules>Module"`
	Unknown      []Element `xml:",any"`
}

// Module is one installed file.
type Module struct {
	FileName  string `xml:"FileName"`
	Version   string `xml:"Version"`
	Timestamp string `xml:"Timestamp"`
}

// Response is the answer; without updates there is nothing to do.
type Response struct {
	XMLName xml.Name  `xml:"Response"`
	Updates []Update  `xml:"Update"`
	Unknown []Element `xml:",any"`
}

// Update is one image that is offered.
type Update struct {
	FileName string    `xml:"FileName"`
	Version  string    `xml:"Version"`
	URI      string    `xml:"Uri"`
	SHA256   string    `xml:"Sha256"` // hex of the image's SHA-256
	Unknown  []Element `xml:",any"`
}

// Element is what this package has no field for; it is kept.
type Element struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Inner   string     `xml:",innerxml"`
}

const declaration = `<?xml version="1.0" encoding="utf-8"?>`

// Append writes the query.
func (r Request) Append(b []byte) ([]byte, error) { return appendXML(b, r) }

// ParseRequest reads the query.
func ParseRequest(b []byte) (Request, error) {
	var r Request
	if err := parseXML(b, &r); err != nil {
		return Request{}, err
	}
	if r.DeviceType == "" || r.Model == "" {
		return r, fmt.Errorf("%w: no DeviceType or no Model", ErrMalformed)
	}
	return r, nil
}

// Append writes the answer.
func (r Response) Append(b []byte) ([]byte, error) { return appendXML(b, r) }

// ParseResponse reads the answer.
func ParseResponse(b []byte) (Response, error) {
	var r Response
	if err := parseXML(b, &r); err != nil {
		return Response{}, err
	}
	for _, u := range r.Updates {
		if u.Version == "" || u.URI == "" {
			return r, fmt.Errorf("%w: an update without version or uri", ErrMalformed)
		}
	}
	return r, nil
}

// Offer is the update of an image that is served at uri.
func Offer(fileName, version, uri string, image []byte) Update {
	sum := sha256.Sum256(image)
	return Update{FileName: fileName, Version: version, URI: uri, SHA256: hex.EncodeToString(sum[:])}
}

// Verify compares an image with the announced checksum.
func (u Update) Verify(image []byte) error {
	sum := sha256.Sum256(image)
	if got := hex.EncodeToString(sum[:]); !strings.EqualFold(got, u.SHA256) {
		return fmt.Errorf("%w: %s, expected %.64s", ErrDamaged, got, u.SHA256)
	}
	return nil
}

func appendXML(b []byte, document any) ([]byte, error) {
	out, err := xml.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("device update document: %w", err)
	}
	if len(declaration)+len(out) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(out), MaxSize)
	}
	return append(append(b, declaration...), out...), nil
}

func parseXML(b []byte, document any) error {
	if len(b) > MaxSize {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxSize)
	}
	if err := checkTokens(b); err != nil {
		return err
	}
	if err := xml.Unmarshal(b, document); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// checkTokens refuses a document type, depth and anything after the root.
func checkTokens(b []byte) error {
	d := xml.NewDecoder(bytes.NewReader(b))
	depth, roots := 0, 0
	for {
		token, err := d.RawToken() // xml.Unmarshal holds the tags against each other
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		switch token := token.(type) {
		case xml.Directive:
			return fmt.Errorf("%w: it has a document type", ErrMalformed)
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			if depth > MaxDepth || roots > 1 {
				return fmt.Errorf("%w: depth %d, roots %d, expected at most %d and 1", ErrMalformed, depth, roots, MaxDepth)
			}
		case xml.EndElement:
			if depth == 0 {
				return fmt.Errorf("%w: </%.40s> closes nothing", ErrMalformed, token.Name.Local)
			}
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(token)) > 0 {
				return fmt.Errorf("%w: text outside the root", ErrMalformed)
			}
		}
	}
}
