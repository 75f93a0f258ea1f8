package foreign

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/csv"
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
	s, ok := get(name + "64")
	if text, plain := get(name); plain {
		if ok && s != "" {
			return nil, false, fmt.Errorf("%s and %s64 are both given", name, name)
		}
		return []byte(text), true, nil
	}
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
		in, err := textOf(r)
		if err != nil {
			return err
		}
		c := csv.NewReader(in)
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
					if err := namedOnce(names); err != nil {
						return err
					}
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

// textOf returns a reader of UTF-8 without the byte order mark that some programs put in
// front of it.
func textOf(r io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(r, 256<<10)
	head, err := in.Peek(3)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.Equal(head, []byte("\uFEFF")):
		_, err = in.Discard(len(head))
		return in, err
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return nil, errors.New("this is UTF-16; iconv -f UTF-16 -t UTF-8 makes UTF-8 of it, which import takes")
	}
	return in, nil
}

// namedOnce is an error if a column has the name of another one.
func namedOnce(names []string) error {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("line 1 names the column %q twice", name)
		}
	}
	return nil
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
