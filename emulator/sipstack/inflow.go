package sipstack

import (
	"bytes"
	"fmt"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// inflow lies between a connection and sipgo. It keeps the text of the message that arrives, to be parsed as it came,
// and gives sipgo the same bytes in pieces that sipgo reads alike however the connection split them. sipgo alone
//   - takes a header for finished when a read ends with its line, though the next line continues it;
//   - takes CR or LF that is read alone between messages for a keep-alive, and misses its other half;
//   - drops a read that has only zero bytes, even within a body.
//
// So the empty lines between messages are not given, no piece ends with a line break but where a head ends or within a
// body, and a zero byte is given as another byte.
type inflow struct {
	text  []byte // from the first byte of a message on, which is no line break
	given int    // bytes of text that sipgo has
	head  int    // bytes of the head with its empty line; 0 until all of it is there
}

const lineBreaks = "\r\n"

var endOfHead = []byte("\r\n\r\n")

// add takes what was read. Errors are final.
func (f *inflow) add(b []byte) error {
	if len(f.text) == 0 {
		if b = bytes.TrimLeft(b, lineBreaks); len(b) == 0 {
			return nil
		}
		if b[0] == 0 {
			return fmt.Errorf("%w: it begins with a zero byte", sipmessage.ErrMalformed)
		}
	}
	seen := len(f.text)
	f.text = append(f.text, b...)
	f.findHead(seen)
	if f.head == 0 && len(f.text) > sipmessage.MaxSize {
		return fmt.Errorf("%w: more than %d bytes", sipmessage.ErrTooLarge, sipmessage.MaxSize)
	}
	return nil
}

// findHead looks for the end of the head, which is not within the first seen bytes.
func (f *inflow) findHead(seen int) {
	if f.head > 0 {
		return
	}
	from := max(0, seen-len(endOfHead)+1)
	if i := bytes.Index(f.text[from:], endOfHead); i >= 0 {
		f.head = from + i + len(endOfHead)
	}
}

// give copies the next piece into b. It is empty when more must be read first.
func (f *inflow) give(b []byte) int {
	piece := f.text[f.given:]
	if f.given < f.head {
		piece = f.text[f.given:f.head]
	}
	piece = piece[:min(len(piece), len(b))]
	if f.given+len(piece) != f.head {
		whole := piece
		piece = bytes.TrimRight(piece, lineBreaks)
		if len(piece) == 0 && len(whole) > 0 && f.head > 0 {
			piece = whole[:1] // of the body: byte by byte, as the message may end with any of them
		}
	}
	n := copy(b, piece)
	for i, c := range b[:n] {
		if c == 0 {
			b[i] = 'x'
		}
	}
	f.given += n
	return n
}

// cut returns the text of the message that sipgo has found, to be used before the next call, and goes on to the next
// one. Of that sipgo may have a part already.
func (f *inflow) cut(bodyLength int) ([]byte, error) {
	end := f.head + bodyLength
	if f.head == 0 || end > f.given {
		return nil, fmt.Errorf("%w: its length is not that of its text", sipmessage.ErrMalformed)
	}
	if bytes.IndexByte(f.text[:f.head], 0) >= 0 {
		return nil, fmt.Errorf("%w: a zero byte in its head", sipmessage.ErrMalformed)
	}
	text := f.text[:end:end]
	rest := bytes.TrimLeft(f.text[end:], lineBreaks)
	*f = inflow{text: rest, given: max(0, f.given-(len(f.text)-len(rest)))}
	if len(rest) == 0 {
		f.text = nil // an idle connection holds no memory for it
	}
	f.findHead(0)
	return text, nil
}
