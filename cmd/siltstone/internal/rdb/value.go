package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/siltstonedb/siltstone/typed"
)

// The types of values. Those with Timed have times to live of fields.
const (
	typeString            = 0
	typeList              = 1
	typeSet               = 2
	typeZSet              = 3
	typeHash              = 4
	typeZSetBinary        = 5
	typeModule            = 7
	typeHashZipmap        = 9
	typeListZiplist       = 10
	typeSetIntset         = 11
	typeZSetZiplist       = 12
	typeHashZiplist       = 13
	typeQuicklist         = 14
	typeStream            = 15
	typeHashListpack      = 16
	typeZSetListpack      = 17
	typeQuicklist2        = 18
	typeStream2           = 19
	typeSetListpack       = 20
	typeStream3           = 21
	typeTimedHash         = 24
	typeTimedHashListpack = 25
)

// packings are the types of collections that are packed into one string, with what they
// hold and what takes them apart.
var packings = map[byte]struct {
	t      typed.Type
	unpack func([]byte, func([]byte) error) error
}{
	typeHashZipmap:   {typed.TypeHash, unZipmap},
	typeListZiplist:  {typed.TypeList, unZiplist},
	typeZSetZiplist:  {typed.TypeZSet, unZiplist},
	typeHashZiplist:  {typed.TypeHash, unZiplist},
	typeSetIntset:    {typed.TypeSet, unIntset},
	typeHashListpack: {typed.TypeHash, unListpack},
	typeZSetListpack: {typed.TypeZSet, unListpack},
	typeSetListpack:  {typed.TypeSet, unListpack},
}

// value reads a value of the given type and adds its elements.
func (d *file) value(kind byte) error {
	if p, ok := packings[kind]; ok {
		return d.packed(p.t, p.unpack)
	}
	switch kind {
	case typeString:
		value, err := d.text()
		if err != nil || d.unfit {
			return err
		}
		e := d.entry
		e.Type, e.Value = typed.TypeString, value
		return d.yield(&e, nil)
	case typeList, typeSet, typeZSet, typeZSetBinary, typeHash:
		return d.plain(kind)
	case typeQuicklist, typeQuicklist2:
		return d.quicklist(kind)
	case typeTimedHash:
		return d.timedHash()
	case typeTimedHashListpack:
		return d.timedHashListpack()
	case typeStream, typeStream2, typeStream3:
		if err := d.skipStream(kind); err != nil {
			return err
		}
		return d.leaveOut("key %s is a stream, which Siltstone does not have", quoted(d.entry.Key))
	case typeModule:
		if err := d.skipModule(); err != nil {
			return err
		}
		return d.leaveOut("key %s has a type of a Redis module", quoted(d.entry.Key))
	}
	return fmt.Errorf("a value of type %d, which is none of Redis 2.2 to 8.4; the file has version %d", kind, d.version)
}

// timedHash reads a hash whose fields have times to live: the earliest deadline, then of each
// field the deadline, as 1 and the milliseconds behind that one or 0 for none, and the pair.
func (d *file) timedHash() error {
	b, err := d.full(8)
	if err != nil {
		return err
	}
	first := littleEndian(b)
	n, err := d.count()
	if err != nil {
		return err
	}
	for range n {
		behind, err := d.count()
		if err != nil {
			return err
		}
		field, err := d.text()
		if err != nil {
			return err
		}
		v, err := d.text()
		if err != nil {
			return err
		}
		e := entry.Element{Name: string(field), Value: v}
		if behind > 0 {
			if behind > maxDeadline || first < 0 || first > maxDeadline {
				return fmt.Errorf("field %s has a deadline of %d and %d ms", quoted(field), first, behind)
			}
			e.Expires = deadline(first + int64(behind) - 1)
		}
		if err := d.add(typed.TypeHash, e); err != nil {
			return err
		}
	}
	return nil
}

// maxDeadline is the latest deadline of a field in Redis, in milliseconds.
const maxDeadline = 1<<48 - 1

// timedHashListpack reads the same as a listpack of fields, values and deadlines, which are
// milliseconds or 0 for none.
func (d *file) timedHashListpack() error {
	if _, err := d.full(8); err != nil { // the earliest deadline
		return err
	}
	b, err := d.text()
	if err != nil {
		return err
	}
	var triple [3][]byte
	n := 0
	err = unListpack(b, func(v []byte) error {
		triple[n%3] = v
		if n++; n%3 != 0 {
			return nil
		}
		e := entry.Element{Name: string(triple[0]), Value: bytes.Clone(triple[1])}
		ms, err := strconv.ParseInt(string(triple[2]), 10, 64)
		if err != nil || ms < 0 || ms > maxDeadline {
			return fmt.Errorf("field %s has the deadline %q", quoted(triple[0]), triple[2])
		}
		if ms > 0 {
			e.Expires = deadline(ms)
		}
		return d.add(typed.TypeHash, e)
	})
	if err == nil && n%3 != 0 {
		err = errPacked
	}
	return err
}

// plain reads a collection whose elements are strings one behind the other.
func (d *file) plain(kind byte) error {
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
		case typeList:
			err = d.add(typed.TypeList, entry.Element{Value: b})
		case typeSet:
			err = d.add(typed.TypeSet, entry.Element{Name: string(b)})
		case typeHash:
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
func (d *file) score(kind byte) (float64, error) {
	if kind == typeZSetBinary {
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
func (d *file) quicklist(kind byte) error {
	n, err := d.count()
	if err != nil {
		return err
	}
	for range n {
		plain := false
		unpack := unZiplist
		if kind == typeQuicklist2 {
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
func (d *file) packed(t typed.Type, unpack func([]byte, func([]byte) error) error) error {
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
			return d.add(t, entry.Element{Name: string(name), Value: bytes.Clone(v)})
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
		return d.add(t, entry.Element{Value: bytes.Clone(v)})
	})
	if err == nil && half {
		err = errPacked
	}
	return err
}
