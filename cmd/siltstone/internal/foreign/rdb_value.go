package foreign

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/siltstonedb/siltstone/typed"
)

// The types of values in an RDB file.
const (
	rdbString       = 0
	rdbList         = 1
	rdbSet          = 2
	rdbZSet         = 3
	rdbHash         = 4
	rdbZSetBinary   = 5
	rdbListZiplist  = 10
	rdbSetIntset    = 11
	rdbZSetZiplist  = 12
	rdbHashZiplist  = 13
	rdbQuicklist    = 14
	rdbStream       = 15
	rdbHashListpack = 16
	rdbZSetListpack = 17
	rdbQuicklist2   = 18
	rdbStream2      = 19
	rdbSetListpack  = 20
	rdbStream3      = 21
)

// value reads a value of the given type and adds its elements.
func (d *rdb) value(kind byte) error {
	switch kind {
	case rdbString:
		value, err := d.text()
		if err != nil {
			return err
		}
		e := d.entry
		e.Type, e.Value = typed.TypeString, value
		return d.yield(&e, nil)
	case rdbList, rdbSet, rdbZSet, rdbZSetBinary, rdbHash:
		return d.plain(kind)
	case rdbQuicklist, rdbQuicklist2:
		return d.quicklist(kind)
	case rdbStream, rdbStream2, rdbStream3:
		if err := d.skipStream(kind); err != nil {
			return err
		}
		return d.yield(nil, fmt.Errorf("%w: key %q is a stream, which Siltstone does not have", ErrLeftOut, d.entry.Key))
	}
	unpack, t := unZiplist, typed.TypeNone
	switch kind {
	case rdbListZiplist:
		t = typed.TypeList
	case rdbZSetZiplist:
		t = typed.TypeZSet
	case rdbHashZiplist:
		t = typed.TypeHash
	case rdbHashListpack:
		unpack, t = unListpack, typed.TypeHash
	case rdbZSetListpack:
		unpack, t = unListpack, typed.TypeZSet
	case rdbSetListpack:
		unpack, t = unListpack, typed.TypeSet
	case rdbSetIntset:
		unpack, t = unIntset, typed.TypeSet
	default:
		return fmt.Errorf("a value of type %d, which cannot be read: a module's, or one of a later Redis than 7.2", kind)
	}
	return d.packed(t, unpack)
}

// plain reads a collection whose elements are strings one behind the other.
func (d *rdb) plain(kind byte) error {
	n, err := d.count()
	if err != nil {
		return err
	}
	for range n {
		b, err := d.text()
		if err != nil {
			return err
		}
		switch kind {
		case rdbList:
			err = d.add(typed.TypeList, entry.Element{Value: b})
		case rdbSet:
			err = d.add(typed.TypeSet, entry.Element{Name: string(b)})
		case rdbHash:
			var v []byte
			if v, err = d.text(); err == nil {
				err = d.add(typed.TypeHash, entry.Element{Name: string(b), Value: v})
			}
		default:
			var score float64
			if score, err = d.score(kind); err == nil {
				err = d.add(typed.TypeZSet, entry.Element{Name: string(b), Score: score})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// score reads a score as eight bytes, or as text behind its length.
func (d *rdb) score(kind byte) (float64, error) {
	if kind == rdbZSetBinary {
		b, err := d.full(8)
		if err != nil {
			return 0, err
		}
		return number(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	n, err := d.byte()
	if err != nil {
		return 0, err
	}
	switch n {
	case 253:
		return 0, errNaN
	case 254:
		return math.Inf(1), nil
	case 255:
		return math.Inf(-1), nil
	}
	b, err := d.full(uint64(n))
	if err != nil {
		return 0, err
	}
	return parseScore(b)
}

var errNaN = errors.New("a score is no number")

func number(f float64) (float64, error) {
	if math.IsNaN(f) {
		return 0, errNaN
	}
	return f, nil
}

func parseScore(b []byte) (float64, error) {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return 0, errNaN
	}
	return number(f)
}

// quicklist reads a list in packed pieces.
func (d *rdb) quicklist(kind byte) error {
	n, err := d.count()
	if err != nil {
		return err
	}
	for range n {
		plain := false
		unpack := unZiplist
		if kind == rdbQuicklist2 {
			container, err := d.count()
			if err != nil {
				return err
			}
			plain, unpack = container == 1, unListpack
		}
		if !plain {
			if err := d.packed(typed.TypeList, unpack); err != nil {
				return err
			}
			continue
		}
		item, err := d.text()
		if err == nil {
			err = d.add(typed.TypeList, entry.Element{Value: item})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// packed reads a string that holds elements, taken apart by unpack, and adds them.
func (d *rdb) packed(t typed.Type, unpack func([]byte, func([]byte) error) error) error {
	b, err := d.text()
	if err != nil {
		return err
	}
	pairs := t == typed.TypeHash || t == typed.TypeZSet
	var name []byte // of a pair whose second half is still to come
	half := false
	err = unpack(b, func(v []byte) error {
		switch {
		case pairs && !half:
			name, half = append(name[:0], v...), true
			return nil
		case t == typed.TypeHash:
			half = false
			return d.add(t, entry.Element{Name: string(name), Value: clone(v)})
		case t == typed.TypeZSet:
			half = false
			score, err := parseScore(v)
			if err != nil {
				return err
			}
			return d.add(t, entry.Element{Name: string(name), Score: score})
		case t == typed.TypeSet:
			return d.add(t, entry.Element{Name: string(v)})
		}
		return d.add(t, entry.Element{Value: clone(v)})
	})
	if err == nil && half {
		err = errPacked
	}
	return err
}

// skipStream reads a stream and keeps nothing of it: nodes, ids, and groups with their
// consumers and what these have not acknowledged.
func (d *rdb) skipStream(kind byte) error {
	s := skipper{d: d}
	for range s.count() {
		s.texts(2)
		if s.err != nil {
			return s.err
		}
	}
	s.counts(3)
	if kind >= rdbStream2 {
		s.counts(5)
	}
	for range s.count() {
		s.texts(1)
		s.counts(2)
		if kind >= rdbStream2 {
			s.counts(1)
		}
		for range s.count() {
			s.bytes(24)
			s.counts(1)
			if s.err != nil {
				return s.err
			}
		}
		for range s.count() {
			s.texts(1)
			s.bytes(8)
			if kind >= rdbStream3 {
				s.bytes(8)
			}
			for range s.count() {
				if s.bytes(16); s.err != nil {
					return s.err
				}
			}
			if s.err != nil {
				return s.err
			}
		}
		if s.err != nil {
			return s.err
		}
	}
	return s.err
}

// skipper reads and keeps the first error; after one it reads nothing and counts 0.
type skipper struct {
	d   *rdb
	err error
}

func (s *skipper) count() (n uint64) {
	if s.err == nil {
		n, s.err = s.d.count()
	}
	if s.err != nil {
		return 0
	}
	return n
}

func (s *skipper) counts(n int) {
	for range n {
		s.count()
	}
}

func (s *skipper) bytes(n uint64) {
	if s.err == nil {
		_, s.err = s.d.full(n)
	}
}

func (s *skipper) texts(n int) {
	for range n {
		if s.err == nil {
			_, s.err = s.d.text()
		}
	}
}
