package raftstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// Checksum is the content of a store at one place in the log, in short. Two replicas at
// the same index have the same one.
type Checksum struct {
	Index uint64 // of the last command in it
	Sum   [sha256.Size]byte
}

func (c Checksum) String() string { return fmt.Sprintf("%d %x", c.Index, c.Sum[:8]) }

// Checksum reads all of this replica's store, in one state: every key that has not
// expired, of every keyspace in order, with its type, its content and its deadlines, in
// the order that the calls of package typed give them. How they lie in files is not in
// it. It costs a walk of the store, and a look-up for each element of a collection.
func (s *Store) Checksum(ctx context.Context) (c Checksum, err error) {
	err = s.View(ctx, LocalRead, func(tx *siltstone.Tx) error {
		spaces, _ := tx.Context().Value(spacesKey{}).(map[string]*siltstone.Keyspace)
		at, err := placeIn(tx, spaces[metaKeyspace])
		if err != nil {
			return err
		}
		d := digest{h: sha256.New(), now: tx.Now()}
		d.text("")
		if err := d.keyspace(ctx, tx.In(nil)); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(spaces)) {
			d.text(name)
			if err := d.keyspace(ctx, tx.In(spaces[name])); err != nil {
				return err
			}
		}
		c.Index = at.index
		d.h.Sum(c.Sum[:0])
		return nil
	})
	return c, err
}

// digest takes the content of a store into a hash. Every part is written with its
// length, so that no two contents write the same bytes.
type digest struct {
	h   hash.Hash
	now time.Time
}

func (d *digest) number(n uint64) { d.h.Write(binary.BigEndian.AppendUint64(nil, n)) }

func (d *digest) bytes(b []byte) {
	d.number(uint64(len(b)))
	d.h.Write(b)
}

func (d *digest) text(s string) { d.bytes([]byte(s)) }

// ttl writes a deadline: two states at different times have the same one.
func (d *digest) ttl(ttl time.Duration, err error) error {
	if err == nil && ttl == siltstone.NoTTL {
		d.number(0)
	} else if err == nil {
		d.number(uint64(d.now.Add(ttl).UnixMilli()))
	}
	return err
}

func (d *digest) keyspace(ctx context.Context, tx *siltstone.Tx) error {
	it, err := tx.NewIter(nil)
	if err != nil {
		return err
	}
	defer it.Close()
	for found := it.First(); found; found = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.bytes(it.Key())
		d.number(uint64(it.Type()))
		if err := d.ttl(tx.TTL(it.Key())); err != nil {
			return err
		}
		if it.Type() == typed.TypeString {
			d.bytes(it.Value())
		} else if err := d.collection(tx, string(it.Key()), it.Type()); err != nil {
			return err
		}
	}
	d.text("end")
	return it.Err()
}

func (d *digest) collection(tx *siltstone.Tx, name string, t typed.Type) error {
	n := uint64(0)
	switch t {
	case typed.TypeHash:
		h := tx.Hash(name)
		for f, err := range h.All() {
			if err != nil {
				return err
			}
			d.text(f.Name)
			d.bytes(f.Value)
			if err := d.ttl(h.FieldTTL(f.Name)); err != nil {
				return err
			}
			n++
		}
	case typed.TypeSet:
		s := tx.Set(name)
		for m, err := range s.All() {
			if err != nil {
				return err
			}
			d.text(m)
			if err := d.ttl(s.MemberTTL(m)); err != nil {
				return err
			}
			n++
		}
	case typed.TypeZSet:
		z := tx.ZSet(name)
		for m, err := range z.All() {
			if err != nil {
				return err
			}
			d.text(m.Name)
			d.text(fmt.Sprint(m.Score))
			if err := d.ttl(z.MemberTTL(m.Name)); err != nil {
				return err
			}
			n++
		}
	case typed.TypeList:
		for item, err := range tx.List(name).Range(0, -1) {
			if err != nil {
				return err
			}
			d.bytes(item)
			n++
		}
	default:
		return fmt.Errorf("raftstore: the key %q is a %v, which has no checksum", name, t)
	}
	d.number(n)
	return nil
}
