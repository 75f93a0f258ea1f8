package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"

	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
)

// NDJSON reads lines that are JSON objects with the fields key and value, and perhaps
// keyspace and expires; the first three also with 64 behind the name for base64. A value
// that is no string is kept as its JSON. Other fields are refused.
func NDJSON(r io.Reader) iter.Seq2[*entry.Entry, error] {
	return loop(func(yield func(*entry.Entry, error) error) error {
		in, err := textOf(r)
		if err != nil {
			return err
		}
		for line := 1; ; line++ {
			b, err := in.ReadBytes('\n')
			if err != nil && err != io.EOF {
				return err
			}
			if b = bytes.TrimSpace(b); len(b) > 0 {
				e, err := jsonEntry(b)
				if err != nil && !errors.Is(err, entry.ErrLeftOut) {
					return fmt.Errorf("line %d: %w", line, err)
				}
				if err := yield(e, err); err != nil {
					return err
				}
			}
			if err == io.EOF {
				return nil
			}
		}
	})
}

func jsonEntry(b []byte) (*entry.Entry, error) {
	fields, err := jsonFields(b)
	if err != nil {
		return nil, err
	}
	if _, ok := fields["siltstone_dump"]; ok {
		return nil, errors.New("this is what siltstone dump wrote: siltstone load reads it")
	}
	for name := range fields {
		if headLine([]string{name}) == nil {
			return nil, fmt.Errorf("there is a field %q; known are key, value, keyspace, expires", name)
		}
	}
	return flat(func(name string) (string, bool) {
		text, ok := fields[name]
		return text, ok
	})
}

// jsonFields returns the fields of an object: of a string its text, of all else the JSON.
// Package json alone takes the last of two fields with one name, and puts U+FFFD for what is
// no character, so that other bytes would be stored than were meant.
func jsonFields(b []byte) (map[string]string, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("this is not UTF-8: bytes stand in base64, as key64 and value64")
	}
	if b[0] != '{' {
		return nil, errors.New("this is no JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		if _, twice := fields[name.(string)]; twice {
			return nil, fmt.Errorf("there is the field %q twice", name)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		if fields[name.(string)], err = jsonText(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if rest := bytes.TrimSpace(b[d.InputOffset():]); len(rest) > 0 {
		return nil, errors.New("there is something behind the object: each has a line of its own")
	}
	return fields, nil
}

// jsonText returns the text of a JSON string, or the JSON if it is something else.
func jsonText(raw []byte) (string, error) {
	if raw[0] != '"' {
		return string(raw), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", err
	}
	if halfPair(raw) {
		return "", errors.New("an escape is half of a surrogate pair, which stands for no character")
	}
	return s, nil
}

// halfPair reports whether a valid JSON string has one half of a pair of escapes without the
// other.
func halfPair(raw []byte) bool {
	high := false // the last escape, just before i, is a first half
	for i := 0; i < len(raw); {
		if raw[i] != '\\' || raw[i+1] != 'u' {
			if high {
				return true
			}
			if raw[i] == '\\' {
				i++
			}
			i++
			continue
		}
		low := bytes.ContainsRune([]byte("dD"), rune(raw[i+2])) && bytes.ContainsRune([]byte("cdefCDEF"), rune(raw[i+3]))
		if low != high {
			return true
		}
		high = bytes.ContainsRune([]byte("dD"), rune(raw[i+2])) && bytes.ContainsRune([]byte("89abAB"), rune(raw[i+3]))
		i += 6
	}
	return high
}
