package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// WriteObjectsJSON writes an object, or a list of them, as indented JSON.
func WriteObjectsJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

// WriteObjectsList writes an object, or a list of them with an empty line between two, as Format-List does: a line for
// each key of its JSON form, True and False for booleans and nothing for null.
func WriteObjectsList(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		list = []json.RawMessage{text}
	}
	for i, one := range list {
		block, err := objectBlock(one)
		if err != nil {
			return err
		}
		if i > 0 {
			block = "\n" + block
		}
		if _, err := io.WriteString(w, block); err != nil {
			return err
		}
	}
	return nil
}

// objectBlock is the lines of one object.
func objectBlock(text []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if opening, err := d.Token(); err != nil || opening != json.Delim('{') {
		return "", errors.Join(fmt.Errorf("not an object: %.40s", text), err)
	}
	var keys, values []string
	width := 0
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", err
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return "", err
		}
		keys, values = append(keys, fmt.Sprint(key)), append(values, objectValue(value))
		width = max(width, len(keys[len(keys)-1]))
	}
	var b strings.Builder
	for i, key := range keys {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s : %s", width, key, values[i]), " ") + "\n")
	}
	return b.String(), nil
}

func objectValue(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return strings.ReplaceAll(strings.TrimSpace(v), "\n", " ")
	case json.Number:
		return v.String()
	}
	text, err := json.Marshal(value) // a list or an object inside of it
	if err != nil {
		return err.Error()
	}
	return string(text)
}
