package typed

import (
	"errors"
	"iter"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Keys is all keys of a keyspace. Safe for concurrent use if what it comes from
// is.
type Keys struct{ src collection.Source }

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
// neither their elements nor values are read. (While elements have deadlines, a
// transaction that writes reads the metadata of each collection.) A walk can go in
// pieces: break, and later begin again with After set to the last name. Whatever is
// written between the pieces, a key that is there all along comes exactly once, and
// none twice; one that is made or dropped meanwhile may come or not. [KEYS, SCAN]
func (k Keys) All(o KeyOptions) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		collection.Stream(k.src, yield, func(t collection.Txn, each func(Key) bool) error {
			var names nameArena
			return eachKey(t, o, func(name []byte) bool {
				return each(Key{k.src, names.name(name)})
			})
		})
	}
}

func eachKey(t collection.Txn, o KeyOptions, each func(name []byte) bool) error {
	if err := collection.CheckMember(o.After); err != nil {
		return err
	}
	prefix := t.Prefix()
	sc := t.Scratch()
	sc.Lo = keyenc.AppendNameRow(sc.Lo[:0], prefix, globPrefix(o.Match))
	sc.Hi = collection.AppendSuccessor(sc.Hi[:0], sc.Lo)
	if o.After != "" {
		sc.Key = append(keyenc.AppendNameRow(sc.Key[:0], prefix, o.After), 0)
		if string(sc.Key) > string(sc.Lo) {
			sc.Lo = append(sc.Lo[:0], sc.Key...)
		}
		if string(sc.Lo) >= string(sc.Hi) {
			return nil
		}
	}
	cur, err := t.Scan(sc.Lo, sc.Hi, collection.ScanOptions{KeysOnly: true})
	if err != nil {
		return err
	}
	defer cur.Close()
	test, err := collection.NewKeyTest(t)
	if err != nil {
		return err
	}
	match := parseGlob(o.Match)
	for cur.Next() {
		name := cur.Key()[len(prefix)+1:]
		if o.Type != TypeNone && o.Type != Type(cur.Trailer().Attr.Type()) {
			continue
		}
		if o.Match != "" && !match.match(name) {
			continue
		}
		there, err := test.Shows(t, cur)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		if !each(name) {
			return nil
		}
	}
	return cur.Err()
}

// Count returns how many live keys there are. Cost: a walk of all keys, but not of
// values or elements. [DBSIZE]
func (k Keys) Count() (int64, error) {
	return collection.View(k.src, func(t collection.Txn) (n int64, err error) {
		err = eachKey(t, KeyOptions{}, func([]byte) bool { n++; return true })
		return n, err
	})
}

// Random returns the name of a key, each as likely as any other, or ErrNotFound
// if there is none. Cost: about a look-up, or a walk of all keys, as Count, if nearly
// all that there were are gone. In a transaction that writes, the key counts as read;
// after a walk every key does. [RANDOMKEY]
func (k Keys) Random() (string, error) {
	return collection.View(k.src, func(t collection.Txn) (string, error) {
		name, found, err := drawKey(t)
		if err != nil || found {
			return name, err
		}
		var chosen []byte
		seen := uint64(0)
		err = eachKey(t, KeyOptions{}, func(name []byte) bool {
			seen++
			if uniform(t, seen) == 0 { // the last one of n is chosen once in n times
				chosen = append(chosen[:0], name...)
			}
			return true
		})
		if err == nil && seen == 0 {
			err = base.ErrNotFound
		}
		return string(chosen), err
	})
}

// Touch returns what Exists does. When a key was used last is not kept, so there
// is nothing to renew. [TOUCH]
func (k Keys) Touch(names ...string) (n int, err error) { return k.Exists(names...) }

// Exists returns how many of the names exist; one that is given twice counts
// twice. [EXISTS]
func (k Keys) Exists(names ...string) (n int, err error) {
	return collection.View(k.src, func(t collection.Txn) (n int, err error) {
		for _, name := range names {
			ok := false
			if err = collection.CheckName(name); err == nil {
				ok, err = collection.KeyExists(t, Key{name: name}.row(t))
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

// Drop removes the keys, of any type, and returns how many there were. Remove of a
// collection removes some of its elements; Delete of a store removes a key without
// saying whether it existed. [DEL, UNLINK]
func (k Keys) Drop(names ...string) (dropped int, err error) {
	return collection.Update(k.src, only(names), func(t collection.Txn) (n int, err error) {
		for _, name := range names {
			if err := collection.CheckName(name); err != nil {
				return 0, err
			}
		}
		for _, name := range names {
			existed, err := collection.DropRow(t, Key{name: name}.row(t))
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
	return collection.View(k.src, func(t collection.Txn) ([][]byte, error) {
		values := make([][]byte, len(names))
		for i, name := range names {
			v, err := String{Key{name: name}}.get(t, nil)
			if err != nil && !errors.Is(err, base.ErrNotFound) && !errors.Is(err, base.ErrWrongType) {
				return nil, err
			}
			if err == nil {
				values[i] = collection.Owned(v)
			}
		}
		return values, nil
	})
}

// Set sets all pairs at once, whatever the keys held before, and clears their
// times to live. Of a key given twice the last value stays. [MSET]
func (k Keys) Set(pairs ...Pair) error {
	_, err := collection.Update(k.src, onlyPair(pairs), func(t collection.Txn) (bool, error) {
		if err := checkPairs(pairs); err != nil {
			return false, err
		}
		return true, setPairs(t, pairs)
	})
	return err
}

// SetNX is Set if none of the keys exists, of whatever type, and reports whether
// it did; otherwise it sets none of them. [MSETNX]
func (k Keys) SetNX(pairs ...Pair) (set bool, err error) {
	return collection.Update(k.src, onlyPair(pairs), func(t collection.Txn) (bool, error) {
		if err := checkPairs(pairs); err != nil {
			return false, err
		}
		for _, p := range pairs {
			if taken, err := collection.KeyExists(t, Key{name: p.Name}.row(t)); err != nil || taken {
				return false, err
			}
		}
		return true, setPairs(t, pairs)
	})
}

func checkPairs(pairs []Pair) error {
	for _, p := range pairs {
		if err := collection.CheckName(p.Name); err != nil {
			return err
		}
		if err := collection.CheckValue(p.Value); err != nil {
			return err
		}
	}
	return nil
}

func setPairs(t collection.Txn, pairs []Pair) error {
	for _, p := range pairs {
		row := Key{name: p.Name}.row(t)
		if _, _, err := collection.Displace(t, row); err != nil {
			return err
		}
		if err := t.Put(row, record.TypeString, 0, p.Value); err != nil {
			return err
		}
	}
	return nil
}

func onlyPair(pairs []Pair) string {
	if len(pairs) == 1 {
		return pairs[0].Name
	}
	return ""
}

// only returns the single name, which a source can lock, or none.
func only(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return ""
}
