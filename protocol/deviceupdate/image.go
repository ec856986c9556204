package deviceupdate

import (
	"fmt"
	"strings"
)

// MaxImageSize bounds an image of the lab, in bytes.
const MaxImageSize = 64 << 10

// Image is the lab's image: a text file of name=value lines, at least model= and version=. Model and version name the
// profile that the handset runs after it (handset.md §3.3, invented).
type Image struct {
	Model, Version string
	Unknown        []string // lines with other names, in order
}

// Append writes the image.
func (i Image) Append(b []byte) ([]byte, error) {
	if err := i.check(); err != nil {
		return nil, err
	}
	lines := append([]string{"model=" + i.Model, "version=" + i.Version}, i.Unknown...)
	for _, line := range lines {
		if strings.ContainsAny(line, "\r\n") || !strings.Contains(line, "=") {
			return nil, fmt.Errorf("%w: image line %.40q", ErrMalformed, line)
		}
		b = append(append(b, line...), '\n')
	}
	return b, nil
}

// ParseImage reads an image. Lines end with LF or CR LF; empty ones are skipped.
func ParseImage(b []byte) (Image, error) {
	if len(b) > MaxImageSize {
		return Image{}, fmt.Errorf("%w: image of %d bytes, at most %d", ErrTooLarge, len(b), MaxImageSize)
	}
	var image Image
	for _, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		switch {
		case !ok || strings.ContainsRune(line, '\r'):
			return Image{}, fmt.Errorf("%w: image line %.40q, expected name=value", ErrMalformed, line)
		case name == "model" && image.Model == "":
			image.Model = value
		case name == "version" && image.Version == "":
			image.Version = value
		default:
			image.Unknown = append(image.Unknown, line)
		}
	}
	return image, image.check()
}

func (i Image) check() error {
	if i.Model == "" || i.Version == "" {
		return fmt.Errorf("%w: an image needs model= and version=", ErrMalformed)
	}
	return nil
}
