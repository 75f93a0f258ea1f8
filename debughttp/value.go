package debughttp

import (
	"errors"
	"fmt"
	"html/template"
	"iter"
	"strconv"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// valueReport is what a page shows of a key.
type valueReport struct {
	Key, Type, TTL string
	Counted        bool   // Length is known
	Length         int64  // in bytes of a string, in elements of a collection
	Start          string // of a string
	Columns        []string
	Elements       [][]string
	More           template.URL
}

// noKey is the type of a key that does not exist.
const noKey = "none: there is no such key"

// fill reads the key's value, from the element after the one that is named on. more is
// the address of the page after an element.
func (v *valueReport) fill(snap *siltstone.Snapshot, after *string, more func(after string) template.URL) error {
	v.Type, v.TTL = noKey, "none"
	t, err := snap.Key(v.Key).Type()
	if errors.Is(err, siltstone.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	v.Type = t.String()
	ttl, err := snap.TTL([]byte(v.Key))
	if err != nil {
		return err
	}
	v.TTL, v.Counted = ttlText(ttl), true
	if v.Length, err = lengthOf(snap, v.Key, t); err != nil {
		return err
	}
	switch t {
	case typed.TypeString:
		return v.ofString(snap.String(v.Key))
	case typed.TypeHash:
		return v.ofHash(snap.Hash(v.Key), after, more)
	case typed.TypeSet:
		return v.ofSet(snap.Set(v.Key), after, more)
	}
	first := int64(0)
	if after != nil {
		if first, err = strconv.ParseInt(*after, 10, 64); err != nil || first < 0 {
			return fmt.Errorf("the page after an element is that of a position, not of %q", *after)
		}
	}
	if t == typed.TypeZSet {
		return v.ofZSet(snap.ZSet(v.Key), first, more)
	}
	return v.ofList(snap.List(v.Key), first, more)
}

func (v *valueReport) ofString(s typed.String) (err error) {
	if v.Length, err = s.Len(); err != nil {
		return err
	}
	start, err := s.Range(0, stringBytes-1)
	v.Start = quoted(string(start), stringBytes)
	if rest := v.Length - int64(len(start)); rest > 0 {
		v.Start += fmt.Sprintf(" and %d more bytes", rest)
	}
	return err
}

func (v *valueReport) ofHash(h typed.Hash, after *string, more func(string) template.URL) error {
	v.Columns = []string{"field", "value"}
	loop := h.All()
	if after != nil {
		loop = h.After(*after)
	}
	return elements(v, loop, more, func(f typed.Field) ([]string, string, int) {
		return []string{text(f.Name), text(string(f.Value))}, f.Name, len(f.Name) + len(f.Value)
	})
}

func (v *valueReport) ofSet(s typed.Set, after *string, more func(string) template.URL) error {
	v.Columns = []string{"member"}
	loop := s.All()
	if after != nil {
		loop = s.After(*after)
	}
	return elements(v, loop, more, func(m string) ([]string, string, int) { return []string{text(m)}, m, len(m) })
}

func (v *valueReport) ofZSet(z typed.ZSet, first int64, more func(string) template.URL) error {
	v.Columns = []string{"rank", "score", "member"}
	rank := first
	return elements(v, z.Range(typed.ByRank(first, first+pageItems)), more, func(m typed.Member) ([]string, string, int) {
		row := []string{strconv.FormatInt(rank, 10), strconv.FormatFloat(m.Score, 'g', -1, 64), text(m.Name)}
		rank++
		return row, strconv.FormatInt(rank, 10), len(m.Name)
	})
}

func (v *valueReport) ofList(l typed.List, first int64, more func(string) template.URL) error {
	v.Columns = []string{"position", "value"}
	position := first
	return elements(v, l.Range(first, first+pageItems), more, func(value []byte) ([]string, string, int) {
		row := []string{strconv.FormatInt(position, 10), text(string(value))}
		position++
		return row, strconv.FormatInt(position, 10), len(value)
	})
}

// elements reads a page of a loop. row returns the cells of an element, what the page
// after it is asked for with, and how many bytes it has.
func elements[T any](v *valueReport, loop iter.Seq2[T, error], more func(after string) template.URL, row func(T) ([]string, string, int)) error {
	last, read := "", 0
	for e, err := range loop {
		if err != nil {
			return err
		}
		if len(v.Elements) == pageItems || read > pageBytes {
			v.More = more(last)
			return nil
		}
		cells, after, n := row(e)
		v.Elements = append(v.Elements, cells)
		last, read = after, read+n
	}
	return nil
}
