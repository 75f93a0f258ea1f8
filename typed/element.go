package typed

import (
	"iter"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// length returns the number of elements of a collection.
func length(k Key, typ record.Type) (int64, error) {
	return collection.View(k.src, func(t collection.Txn) (int64, error) {
		c, err := collection.Open(t, k.name, typ)
		if err != nil {
			return 0, err
		}
		n, err := c.Live(t)
		return int64(n), err
	})
}

// removeElements removes elements that have no row but their own.
func removeElements(k Key, typ record.Type, members []string) (removed int, err error) {
	return collection.Update(k.src, k.name, func(t collection.Txn) (n int, err error) {
		if err := collection.CheckMembers(members); err != nil {
			return 0, err
		}
		c, found, err := collection.OpenOldToWrite(t, k.name, typ)
		if !found {
			return 0, err
		}
		for _, m := range members {
			deadline, found, err := c.Find(t, m)
			if err != nil {
				return 0, err
			}
			if !found {
				continue
			}
			if err := c.Remove(t, m, deadline); err != nil {
				return 0, err
			}
			c.Shrank(1)
			n++
		}
		return n, c.Keep(t)
	})
}

// elementNames yields the names of a collection's elements in r, forward or backward.
func elementNames(k Key, typ record.Type, r Range, back bool) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		collection.Stream(k.src, yield, func(t collection.Txn, each func(string) bool) error {
			if err := r.check(); err != nil {
				return err
			}
			c, found, err := collection.OpenOld(t, k.name, typ)
			if !found {
				return err
			}
			var names nameArena
			return c.Each(t, r.part(), collection.ScanOptions{Reverse: back, KeysOnly: true}, func(e *collection.Elements) bool {
				return each(names.name(e.Member()))
			})
		})
	}
}
