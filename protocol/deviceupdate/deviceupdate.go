// Package deviceupdate is the query of the device update service. No source shows its XML: the element names follow
// the fields of the service's audit log, the rest is this project's invention until a capture is found (handset.md §3.3).
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

const (
	maxSize  = 256 << 10
	maxDepth = 64
)

// Errors of reading.
var (
	ErrTooLarge  = errors.New("update document exceeds its bounds")
	ErrMalformed = errors.New("not an update document")
	ErrDamaged   = errors.New("the image's SHA-256 does not match")
)

// Module is one file of the firmware.
type Module struct {
	FileName  string `xml:"FileName"`
	Version   string `xml:"Version"`
	Timestamp string `xml:"Timestamp,omitempty"`
}

// Request tells what the handset is and runs.
type Request struct {
	XMLName      xml.Name `xml:"Request"`
	DeviceType   string   `xml:"DeviceType"`
	MACAddress   string   `xml:"MacAddress"`
	SerialNumber string   `xml:"SerialNumber"`
	Vendor       string   `xml:"Vendor"`
	Brand        string   `xml:"Brand"`
	Model        string   `xml:"Model"`
	Revision     string   `xml:"Revision"`
	Locale       string   `xml:"Locale"`
	Modules      []Module `xml:"Modules>Module"`
}

// Update is one image offered.
type Update struct {
	FileName string `xml:"FileName"`
	Version  string `xml:"Version"`
	URI      string `xml:"Uri"`
	SHA256   string `xml:"Sha256"` // hex
}

// Response offers updates, or none.
type Response struct {
	XMLName xml.Name `xml:"Response"`
	Updates []Update `xml:"Update"`
}

// Append writes the request.
func (r Request) Append(b []byte) ([]byte, error) { return appendXML(b, r) }

// Append writes the response.
func (r Response) Append(b []byte) ([]byte, error) { return appendXML(b, r) }

func appendXML(b []byte, v any) ([]byte, error) {
	text, err := xml.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("update document: %w", err)
	}
	return append(append(b, xml.Header...), text...), nil
}

// ParseRequest reads a request; unknown elements are ignored.
func ParseRequest(b []byte) (Request, error) {
	var r Request
	return r, parse(b, &r)
}

// ParseResponse reads a response; unknown elements are ignored.
func ParseResponse(b []byte) (Response, error) {
	var r Response
	return r, parse(b, &r)
}

func parse(b []byte, v any) error {
	if len(b) > maxSize {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), maxSize)
	}
	decoder := xml.NewDecoder(bytes.NewReader(b))
	for depth := 0; ; {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		switch token.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: more than %d levels", ErrTooLarge, maxDepth)
			}
		case xml.EndElement:
			depth--
		}
	}
	if err := xml.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// Verify compares an image with the update that announced it.
func (u Update) Verify(image []byte) error {
	sum := sha256.Sum256(image)
	if !strings.EqualFold(hex.EncodeToString(sum[:]), u.SHA256) {
		return ErrDamaged
	}
	return nil
}

// Image is the lab's image: a text file with model= and version=.
type Image struct{ Model, Version string }

// Append writes the image.
func (i Image) Append(b []byte) ([]byte, error) {
	if i.Model == "" || i.Version == "" || strings.ContainsAny(i.Model+i.Version, "\r\n") {
		return nil, fmt.Errorf("%w: an image needs model and version", ErrMalformed)
	}
	return fmt.Appendf(b, "model=%s\nversion=%s\n", i.Model, i.Version), nil
}

// ParseImage reads an image.
func ParseImage(b []byte) (Image, error) {
	var i Image
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "model":
			i.Model = value
		case "version":
			i.Version = value
		}
	}
	if i.Model == "" || i.Version == "" {
		return i, fmt.Errorf("%w: the image names no model or version", ErrMalformed)
	}
	return i, nil
}
