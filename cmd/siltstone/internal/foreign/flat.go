package foreign

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
)

// The columns of CSV and the fields of NDJSON. One whose name ends in 64 is in base64.
var columns = []string{"keyspace", "key", "value", "expires"}

// decoded returns the field called name, or base64 of the one called name64.
func decoded(name string, get func(string) (string, bool)) ([]byte, bool, error) {
	if s, ok := get(name); ok {
		return []byte(s), true, nil
	}
	s, ok := get(name + "64")
	if !ok {
		return nil, false, nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		err = fmt.Errorf("%s64: %w", name, err)
	}
	return b, true, err
}

// flat makes an entry of named fields.
func flat(get func(string) (string, bool)) (*entry.Entry, error) {
	key, ok, err := decoded("key", get)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("there is no key")
	}
	value, ok, err := decoded("value", get)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("there is no value")
	}
	keyspace, _, err := decoded("keyspace", get)
	if err != nil {
		return nil, err
	}
	e, err := pair(string(keyspace), key, value)
	if err != nil {
		return nil, err
	}
	if s, ok := get("expires"); ok && s != "" {
		ms, err := strconv.ParseInt(s, 10, 64)
		if err != nil || ms <= 0 {
			return nil, fmt.Errorf("expires %q is no number of milliseconds since 1970", s)
		}
		e.Expires = time.UnixMilli(ms)
	}
	return e, nil
}

// CSV reads lines of comma-separated values. The first line may name the columns: key,
// value, keyspace and expires, in any order, the first three also with 64 behind the name
// for base64. Without such a line the columns are key and value.
func CSV(r io.Reader) iter.Seq2[*entry.Entry, error] {
	return loop(func(yield func(*entry.Entry, error) error) error {
		c := csv.NewReader(bufio.NewReaderSize(r, 256<<10))
		c.ReuseRecord = true
		var names []string
		for first := true; ; first = false {
			row, err := c.Read()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err // it names the line
			}
			if first {
				if names = headLine(row); names != nil {
					continue
				}
				names = []string{"key", "value"}
			}
			if len(row) != len(names) {
				line, _ := c.FieldPos(0)
				return fmt.Errorf("line %d has %d columns, not %d", line, len(row), len(names))
			}
			// CSV cannot tell an empty field from none: of a pair with and without 64 the one
			// that says something counts.
			e, err := flat(func(name string) (string, bool) {
				i := slices.Index(names, name)
				if i < 0 || row[i] == "" && slices.Contains(names, name+"64") && row[slices.Index(names, name+"64")] != "" {
					return "", false
				}
				return row[i], true
			})
			if err != nil && !errors.Is(err, entry.ErrLeftOut) {
				line, _ := c.FieldPos(0)
				return fmt.Errorf("line %d: %w", line, err)
			}
			if err := yield(e, err); err != nil {
				return err
			}
		}
	})
}

// headLine returns the names of the columns if the line has nothing else.
func headLine(row []string) []string {
	for _, name := range row {
		plain := name
		if n := len(name); n > 2 && name[n-2:] == "64" && name != "expires64" {
			plain = name[:n-2]
		}
		if !slices.Contains(columns, plain) {
			return nil
		}
	}
	return slices.Clone(row)
}

// NDJSON reads lines that are JSON objects with the fields key and value, and perhaps
// keyspace and expires; the first three also with 64 behind the name for base64. A value
// that is no string is kept as its JSON. Other fields are refused.
func NDJSON(r io.Reader) iter.Seq2[*entry.Entry, error] {
	return loop(func(yield func(*entry.Entry, error) error) error {
		in := bufio.NewReaderSize(r, 256<<10)
		for line := 1; ; line++ {
			b, err := in.ReadBytes('\n')
			if err != nil && err != io.EOF {
				return err
			}
			if len(bytes.TrimSpace(b)) > 0 {
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
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
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
		raw, ok := fields[name]
		if !ok {
			return "", false
		}
		var s string
		if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
			return s, true
		}
		return string(raw), true
	})
}
