package typed

import (
	"iter"

	"github.com/siltstonedb/siltstone/internal/record"
)

// What hashes and sets do with element rows: a set is a hash without values.

// putElement puts the element row and accounts for it; the caller saves if it was
// added. With nx an element that exists is left alone.
func putElement(t Txn, c *collection, member string, value []byte, nx bool) (added bool, err error) {
	exists := false
	if c.meta.Count > 0 {
		if exists, err = c.has(t, member); err != nil {
			return false, err
		}
	} else if err := c.create(t); err != nil {
		return false, err
	}
	if exists && nx {
		return false, nil
	}
	if err := t.Put(c.element(t, member), record.TypeNone, 0, value); err != nil {
		return false, err
	}
	if !exists {
		c.grew(len(member) + len(value))
	}
	return !exists, nil
}

// length returns the number of elements of a collection.
func length(k Key, typ record.Type) (int64, error) {
	return view(k.src, func(t Txn) (int64, error) {
		c, err := openCollection(t, k.name, typ)
		return int64(c.meta.Count), err
	})
}

// removeElements removes elements that have no row but their own.
func removeElements(k Key, typ record.Type, members []string) (removed int, err error) {
	return update(k.src, k.name, func(t Txn) (n int, err error) {
		if err := checkMembers(members); err != nil {
			return 0, err
		}
		c, found, err := openOld(t, k.name, typ)
		if !found {
			return 0, err
		}
		for _, m := range members {
			ok, err := c.has(t, m)
			if err != nil {
				return 0, err
			}
			if !ok {
				continue
			}
			if err := t.Delete(c.element(t, m)); err != nil {
				return 0, err
			}
			n++
		}
		if n == 0 {
			return 0, nil
		}
		c.shrank(uint64(n))
		return n, c.save(t)
	})
}

// elementNames yields the names of a collection's elements.
func elementNames(k Key, typ record.Type) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		stream(k.src, yield, func(t Txn, each func(string) bool) error {
			c, found, err := openOld(t, k.name, typ)
			if !found {
				return err
			}
			var names nameArena
			return eachElement(t, &c, "", ScanOptions{KeysOnly: true}, func(name []byte, _ Cursor) bool {
				return each(names.name(name))
			})
		})
	}
}

// eachElement calls each for the elements whose names start with prefix until it
// returns false.
func eachElement(t Txn, c *collection, prefix string, o ScanOptions, each func(name []byte, cur Cursor) bool) error {
	if err := checkMember(prefix); err != nil {
		return err
	}
	cur, head, err := c.scan(t, prefix, o)
	if err != nil {
		return err
	}
	defer cur.Close()
	for cur.Next() {
		if !each(cur.Key()[head:], cur) {
			return nil
		}
	}
	return cur.Err()
}
