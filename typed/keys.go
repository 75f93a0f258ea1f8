package typed

import (
	"errors"
	"iter"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Keys is all keys of a keyspace. Safe for concurrent use if what it comes from
// is.
type Keys struct{ src Source }

// NewKeys returns a handle of the source's keys.
func NewKeys(src Source) Keys { return Keys{src} }

// KeyOptions choose among keys. The zero value chooses all of them.
type KeyOptions struct {
	// Match is a glob: * any bytes, ? one, [abc] [a-z] [^a-z] one of a class, \
	// takes the next byte as it is. Empty matches every key. What stands before
	// the first special byte narrows the walk: "user:*" reads those keys only.
	Match string
	Type  Type   // only keys of this type; TypeNone: any
	After string // only keys above this one: the last name of an earlier loop
}

// Pair is a key and its string value.
type Pair struct {
	Name  string
	Value []byte
}

// All yields the keys in bytewise order. Collections cost as little as strings:
// neither their elements nor values are read. [KEYS, SCAN]
func (k Keys) All(o KeyOptions) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		stream(k.src, yield, func(t Txn, each func(Key) bool) error {
			var names nameArena
			return eachKey(t, o, func(name []byte) bool {
				return each(Key{k.src, names.name(name)})
			})
		})
	}
}

func eachKey(t Txn, o KeyOptions, each func(name []byte) bool) error {
	if err := checkMember(o.After); err != nil {
		return err
	}
	prefix := t.Prefix()
	sc := t.Scratch()
	sc.lo = keyenc.AppendNameRow(sc.lo[:0], prefix, globPrefix(o.Match))
	sc.hi = appendSuccessor(sc.hi[:0], sc.lo)
	if o.After != "" {
		sc.key = append(keyenc.AppendNameRow(sc.key[:0], prefix, o.After), 0)
		if string(sc.key) > string(sc.lo) {
			sc.lo = append(sc.lo[:0], sc.key...)
		}
		if string(sc.lo) >= string(sc.hi) {
			return nil
		}
	}
	cur, err := t.Scan(sc.lo, sc.hi, ScanOptions{KeysOnly: true})
	if err != nil {
		return err
	}
	defer cur.Close()
	look, err := anyTimerDue(t)
	if err != nil {
		return err
	}
	for cur.Next() {
		name := cur.Key()[len(prefix)+1:]
		if typ := record.Type(cur.Trailer().Attr.Type()); look && typ.IsCollection() {
			there, err := keyExists(t, cur.Key())
			if err != nil {
				return err
			}
			if !there {
				continue
			}
		}
		if o.Type != TypeNone && o.Type != Type(cur.Trailer().Attr.Type()) {
			continue
		}
		if o.Match != "" && !globMatch(o.Match, name) {
			continue
		}
		if !each(name) {
			return nil
		}
	}
	return cur.Err()
}

// Count returns how many keys there are, by walking all of them. [DBSIZE]
func (k Keys) Count() (int64, error) {
	return view(k.src, func(t Txn) (n int64, err error) {
		err = eachKey(t, KeyOptions{}, func([]byte) bool { n++; return true })
		return n, err
	})
}

// Exists returns how many of the names exist; one that is given twice counts
// twice. [EXISTS]
func (k Keys) Exists(names ...string) (n int, err error) {
	return view(k.src, func(t Txn) (n int, err error) {
		for _, name := range names {
			ok := false
			if err = checkName(name); err == nil {
				ok, err = keyExists(t, Key{name: name}.row(t))
			}
			if err != nil {
				return 0, err
			}
			if ok {
				n++
			}
		}
		return n, nil
	})
}

// Drop removes the keys, of any type, and returns how many there were. [DEL,
// UNLINK]
func (k Keys) Drop(names ...string) (dropped int, err error) {
	return update(k.src, only(names), func(t Txn) (n int, err error) {
		for _, name := range names {
			if err := checkName(name); err != nil {
				return 0, err
			}
		}
		for _, name := range names {
			existed, err := dropRow(t, Key{name: name}.row(t))
			if err != nil {
				return 0, err
			}
			if existed {
				n++
			}
		}
		return n, nil
	})
}

// Get returns the string values of the keys, in the order of the names. One is
// nil where the key is missing or holds another type, and not nil where it is
// empty. The values are yours. [MGET]
func (k Keys) Get(names ...string) (values [][]byte, err error) {
	return view(k.src, func(t Txn) ([][]byte, error) {
		values := make([][]byte, len(names))
		for i, name := range names {
			v, err := String{Key{name: name}}.get(t, nil)
			if err != nil && !errors.Is(err, base.ErrNotFound) && !errors.Is(err, base.ErrWrongType) {
				return nil, err
			}
			if err == nil {
				values[i] = owned(v)
			}
		}
		return values, nil
	})
}

// Set sets all pairs at once, whatever the keys held before, and clears their
// times to live. Of a key given twice the last value stays. [MSET]
func (k Keys) Set(pairs ...Pair) error {
	key := ""
	if len(pairs) == 1 {
		key = pairs[0].Name
	}
	_, err := update(k.src, key, func(t Txn) (bool, error) {
		for _, p := range pairs {
			if err := checkName(p.Name); err != nil {
				return false, err
			}
			if err := checkValue(p.Value); err != nil {
				return false, err
			}
		}
		for _, p := range pairs {
			row := Key{name: p.Name}.row(t)
			if _, _, err := displace(t, row); err != nil {
				return false, err
			}
			if err := t.Put(row, record.TypeString, 0, p.Value); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	return err
}

// only returns the single name, which a source can lock, or none.
func only(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return ""
}

// absentOK turns ErrNotFound into nil.
func absentOK(err error) error {
	if errors.Is(err, base.ErrNotFound) {
		return nil
	}
	return err
}

// owned returns b, which is the caller's, as a value that is not nil.
func owned(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
