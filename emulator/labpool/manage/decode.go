package manage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// decode reads one JSON object without keys that value does not have. Its errors show no value of the text, which may
// be a secret.
func decode(text []byte, value any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(value)
	if err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return errors.New("more than one JSON object")
		}
		return nil
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("no JSON from byte %d on", syntax.Offset)
	case errors.As(err, &kind) && kind.Field == "":
		return errors.New("no JSON object")
	case errors.As(err, &kind):
		found, _, _ := strings.Cut(kind.Value, " ") // "number 4711"
		return fmt.Errorf("wrong: %s is a %s", kind.Field, found)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("wrong: there is no key %.42s", name)
	}
	return errors.New("no whole JSON object")
}
