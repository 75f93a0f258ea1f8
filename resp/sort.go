package resp

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands that sort the elements of a list, a set or a sorted set.
var sortCommands = []command{
	{"sort", -2, writes, 1, 1, 1, func(c *call) error { return sortElements(c, false) }},
	{"sort_ro", -2, reads, 1, 1, 1, func(c *call) error { return sortElements(c, true) }},
}

// sorting is a SORT taken apart.
type sorting struct {
	by       []byte // pattern of the keys whose values are compared; nil: the elements are
	unsorted bool   // by has no *, and there is nothing to compare
	get      [][]byte
	alpha    bool
	desc     bool
	limited  bool
	offset   int64
	count    int64
	store    []byte // nil: the reply is the result

	most int // bytes of elements and of what belongs to them
}

// sortItem is an element, with what it is compared by.
type sortItem struct {
	value []byte
	by    []byte // nil: there is none
	score float64
}

// perElement and perValue are about what the server takes for each beside its bytes.
const (
	perElement = 64
	perValue   = 24
)

const errNotDouble = replyError("ERR One or more scores can't be converted into double")

func sortElements(c *call, readOnly bool) error {
	s, err := c.sorting(readOnly)
	if err != nil {
		return err
	}
	if s.store == nil {
		return c.view(func(rw siltstone.ReadWriter) error {
			values, err := s.run(rw, c.key(1))
			if err != nil {
				return err
			}
			c.out.array(len(values))
			for _, v := range values {
				c.out.maybe(v)
			}
			return nil
		})
	}
	return c.update(func(rw siltstone.ReadWriter) error {
		values, err := s.run(rw, c.key(1))
		if err != nil {
			return err
		}
		existed, err := rw.Key(string(s.store)).Drop()
		if err != nil {
			return err
		}
		if len(values) > 0 {
			if _, err := rw.List(string(s.store)).PushBack(values...); err != nil {
				return err
			}
			c.changed(s.store, 'l', "sortstore")
		} else if existed {
			c.changed(s.store, 'g', "del")
		}
		c.out.int(int64(len(values)))
		return nil
	})
}

// sorting parses the options.
func (c *call) sorting(readOnly bool) (s sorting, err error) {
	s.most = c.s.opts.MaxCommandBytes
	for i := 2; i < len(c.args); i++ {
		left := len(c.args) - i - 1
		switch a := c.args[i]; {
		case is(a, "ASC"):
			s.desc = false
		case is(a, "DESC"):
			s.desc = true
		case is(a, "ALPHA"):
			s.alpha = true
		case is(a, "LIMIT") && left >= 2:
			if s.offset, err = c.int(i + 1); err != nil {
				return s, err
			}
			if s.count, err = c.int(i + 2); err != nil {
				return s, err
			}
			s.limited = true
			i += 2
		case is(a, "STORE") && left >= 1 && !readOnly:
			s.store = c.args[i+1]
			i++
		case is(a, "BY") && left >= 1:
			s.by = c.args[i+1]
			s.unsorted = bytes.IndexByte(s.by, '*') < 0
			i++
		case is(a, "GET") && left >= 1:
			s.get = append(s.get, c.args[i+1])
			i++
		default:
			return s, errSyntax
		}
	}
	return s, nil
}

// sortTarget returns the key that a SORT stores to, or nil.
func sortTarget(args [][]byte) (target []byte) {
	for i := 2; i < len(args); i++ {
		switch a := args[i]; {
		case is(a, "LIMIT"):
			i += 2
		case is(a, "BY"), is(a, "GET"):
			i++
		case is(a, "STORE") && i+1 < len(args):
			i++
			target = args[i]
		}
	}
	return target
}

// run returns the elements in their order, or what GET finds for each; nil is what it does
// not find.
func (s *sorting) run(rw siltstone.ReadWriter, name string) ([][]byte, error) {
	kind, err := rw.Key(name).Type()
	if err != nil && !absent(err) {
		return nil, err
	}
	left := s.most
	items, err := sortItems(rw, name, kind, &left)
	if err != nil {
		return nil, err
	}
	s.choose(kind)
	if s.unsorted {
		if s.desc && kind != typed.TypeSet {
			slices.Reverse(items)
		}
	} else if err := s.sort(rw, items, &left); err != nil {
		return nil, err
	}
	items = s.cut(items)
	if len(s.get) > 0 && len(items) > left/len(s.get)/perValue {
		return nil, errReplyTooLong
	}
	values := make([][]byte, 0, len(items)*max(1, len(s.get)))
	for _, it := range items {
		if len(s.get) == 0 {
			values = append(values, it.value)
		}
		for _, pattern := range s.get {
			v, err := lookUpPattern(rw, pattern, it.value)
			if err != nil {
				return nil, err
			}
			if left -= len(v); left < 0 {
				return nil, errReplyTooLong
			}
			values = append(values, v)
		}
	}
	if s.store != nil { // a list has no nil
		for i := range values {
			if values[i] == nil {
				values[i] = []byte{}
			}
		}
	}
	return values, nil
}

// choose sorts a set that is stored and has no order of its own, as Redis does.
func (s *sorting) choose(kind typed.Type) {
	if s.unsorted && kind == typed.TypeSet && s.store != nil {
		s.unsorted, s.alpha, s.by = false, true, nil
	}
}

// sortItems loads the elements. left is what they may take.
func sortItems(rw siltstone.ReadWriter, name string, kind typed.Type, left *int) (items []sortItem, err error) {
	add := func(b []byte) error {
		if *left -= len(b) + perElement; *left < 0 {
			return errReplyTooLong
		}
		items = append(items, sortItem{value: b})
		return nil
	}
	switch kind {
	case typed.TypeNone:
	case typed.TypeList:
		for v, lerr := range rw.List(name).Range(0, -1) {
			if err = lerr; err == nil {
				err = add(v)
			}
			if err != nil {
				return nil, err
			}
		}
	case typed.TypeSet:
		for v, lerr := range rw.Set(name).All() {
			if err = lerr; err == nil {
				err = add([]byte(v))
			}
			if err != nil {
				return nil, err
			}
		}
	case typed.TypeZSet:
		for m, lerr := range rw.ZSet(name).All() {
			if err = lerr; err == nil {
				err = add([]byte(m.Name))
			}
			if err != nil {
				return nil, err
			}
		}
	default:
		return nil, errWrongType
	}
	return items, nil
}

// sort finds what the elements are compared by, and sorts them.
func (s *sorting) sort(rw siltstone.ReadWriter, items []sortItem, left *int) error {
	for i := range items {
		it := &items[i]
		it.by = it.value
		if s.by != nil {
			var err error
			if it.by, err = lookUpPattern(rw, s.by, it.value); err != nil {
				return err
			}
			if *left -= len(it.by); *left < 0 {
				return errReplyTooLong
			}
		}
		if !s.alpha {
			var ok bool
			if it.score, ok = sortScore(it.by); !ok {
				return errNotDouble
			}
		}
	}
	slices.SortStableFunc(items, func(a, b sortItem) int {
		n := s.compare(a, b)
		if s.desc {
			return -n
		}
		return n
	})
	return nil
}

func (s *sorting) compare(a, b sortItem) int {
	switch {
	case !s.alpha:
		return cmp.Or(cmp.Compare(a.score, b.score), bytes.Compare(a.value, b.value))
	case a.by == nil && b.by == nil:
		return 0
	case a.by == nil:
		return -1
	case b.by == nil:
		return 1
	}
	return bytes.Compare(a.by, b.by)
}

// sortScore is the number that an element is compared by: what is missing, and nothing, is 0.
func sortScore(b []byte) (float64, bool) {
	b = bytes.TrimLeft(b, " \t\n\v\f\r")
	if len(b) == 0 {
		return 0, true
	}
	return parseFloat(b)
}

// cut returns the part of LIMIT. A negative count is all.
func (s *sorting) cut(items []sortItem) []sortItem {
	if !s.limited {
		return items
	}
	from := min(max(s.offset, 0), int64(len(items)))
	to := int64(len(items))
	if s.count >= 0 && s.count < math.MaxInt64-from {
		to = min(to, from+s.count)
	}
	return items[from:to]
}

// lookUpPattern returns what the key holds whose name is the pattern with the element in the
// place of its first *; with ->field behind it, that field of a hash. The pattern # is the
// element. Nil is no such thing.
func lookUpPattern(rw siltstone.ReadWriter, pattern, element []byte) ([]byte, error) {
	if len(pattern) == 1 && pattern[0] == '#' {
		return element, nil
	}
	star := bytes.IndexByte(pattern, '*')
	if star < 0 {
		return nil, nil
	}
	rest, field := pattern[star+1:], ""
	isField := false
	if at := bytes.Index(rest, []byte("->")); at >= 0 && at+2 < len(rest) {
		rest, field, isField = rest[:at], string(rest[at+2:]), true
	}
	name := string(pattern[:star]) + string(element) + string(rest)
	var v []byte
	var err error
	if isField {
		v, err = rw.Hash(name).Get(field)
	} else {
		v, err = rw.String(name).Get()
	}
	switch {
	case absent(err), errors.Is(err, siltstone.ErrWrongType), errors.Is(err, siltstone.ErrEmptyKey), errors.Is(err, siltstone.ErrKeyTooLarge):
		return nil, nil
	case err != nil:
		return nil, err
	case v == nil:
		return []byte{}, nil
	}
	return v, nil
}
