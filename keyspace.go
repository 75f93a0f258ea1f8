package siltstone

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Keyspace is a named part of the store with keys of its own. No other keyspace
// sees them, and DropKeyspace drops them together at a cost that does not depend
// on their number. A Keyspace has the calls that DB has for the default keyspace,
// which has no name. DB.CreateKeyspace makes one and DB.Keyspace finds it. Tx.In,
// Snapshot.In and Batch.In address it in a transaction, snapshot or batch. It is safe
// for concurrent use.
//
// Keys may be as long as in the default keyspace. All keyspaces share durability,
// memory, disk space and commits.
type Keyspace struct {
	db    *DB
	space *keyspace.Space
}

// errForeign refuses a handle that did not come from this store.
var errForeign = errors.New("siltstone: the keyspace is another store's, or of an earlier opening of this one")

// unmade reports whether ks is one that neither CreateKeyspace nor Keyspace
// returned: every call of it is ErrClosed.
func (ks *Keyspace) unmade() bool { return ks == nil || ks.db == nil || ks.space == nil }

// parts returns the store of ks and its space in it, both nil if it is unmade.
func (ks *Keyspace) parts() (*DB, *keyspace.Space) {
	if ks.unmade() {
		return nil, nil
	}
	return ks.db, ks.space
}

// Name returns the name of the keyspace.
func (ks *Keyspace) Name() string {
	if ks.unmade() {
		return ""
	}
	return ks.space.Name
}

// Get returns a copy of the value of key, or ErrNotFound. If key holds a
// collection the error is ErrWrongType.
func (ks *Keyspace) Get(key []byte) ([]byte, error) {
	db, space := ks.parts()
	return db.appendGet(space, nil, key)
}

// AppendGet appends the value of key to dst and returns the result; on an error
// it returns dst as it was. Given room in dst it does not allocate.
func (ks *Keyspace) AppendGet(dst, key []byte) ([]byte, error) {
	db, space := ks.parts()
	return db.appendGet(space, dst, key)
}

// Has reports whether key exists, whatever its type. It reads no value.
func (ks *Keyspace) Has(key []byte) (bool, error) {
	db, space := ks.parts()
	return db.has(space, key)
}

// TTL returns the time that key has to live, rounded up to milliseconds; NoTTL if
// it does not expire, ErrNotFound if it does not exist.
func (ks *Keyspace) TTL(key []byte) (time.Duration, error) {
	db, space := ks.parts()
	return db.ttl(space, key)
}

// Scan loops over the keys of r in ascending order, over the state at the
// loop's start. Breaking out releases everything; an error is the last item.
func (ks *Keyspace) Scan(r Range) iter.Seq2[KV, error] { return scan(ks, IterOptions{Range: r}, false) }

// ScanBack loops over the keys of r in descending order, as Scan does.
func (ks *Keyspace) ScanBack(r Range) iter.Seq2[KV, error] {
	return scan(ks, IterOptions{Range: r}, true)
}

// ScanKeys loops over the keys of r in ascending order, as Scan does, and reads no
// values: each Value is nil.
func (ks *Keyspace) ScanKeys(r Range) iter.Seq2[KV, error] {
	return scan(ks, IterOptions{Range: r, KeysOnly: true}, false)
}

// ScanKeysBack loops over the keys of r in descending order, as ScanKeys does.
func (ks *Keyspace) ScanKeysBack(r Range) iter.Seq2[KV, error] {
	return scan(ks, IterOptions{Range: r, KeysOnly: true}, true)
}

// NewIter returns an iterator over the current state, positioned nowhere. The
// caller closes it. It goes on after the keyspace has been dropped.
func (ks *Keyspace) NewIter(o *IterOptions) (*Iterator, error) {
	db, space := ks.parts()
	return db.newIter(space, o)
}

// Wait loops over changes of the keys, as DB.Wait does. Its last item is ErrDropped when
// the keyspace is dropped.
func (ks *Keyspace) Wait(ctx context.Context, keys ...[]byte) iter.Seq2[[]byte, error] {
	db, space := ks.parts()
	return db.wait(ctx, space, keys)
}

// Put sets key to value. It overwrites a value of any type, a collection too,
// and clears a time to live. It is blind: it reads nothing and never conflicts.
func (ks *Keyspace) Put(key, value []byte) error {
	db, space := ks.parts()
	return db.putString(space, key, value, 0, DefaultDurability)
}

// PutDurability is Put that returns once the commit has reached the level d, instead of
// that of Options.Durability. One that does not exist is ErrBadOption.
func (ks *Keyspace) PutDurability(key, value []byte, d Durability) error {
	db, space := ks.parts()
	return db.putString(space, key, value, 0, d)
}

// PutTTL sets key to value for the time ttl, counted from now on the store's
// clock and rounded up to milliseconds; NoTTL makes it Put. A ttl that is not
// positive is ErrBadTTL.
func (ks *Keyspace) PutTTL(key, value []byte, ttl time.Duration) error {
	db, space := ks.parts()
	return db.putTTL(space, key, value, ttl)
}

// Delete deletes key, whatever its type, and does not say whether it existed. Drop of
// ks.Key does the same and says it; Remove of a typed handle removes elements.
func (ks *Keyspace) Delete(key []byte) error {
	db, space := ks.parts()
	return db.deleteKey(space, key)
}

// DeleteRange deletes every key of r at once, at a cost that does not depend on
// how many there are. Collections in the range go with their elements.
func (ks *Keyspace) DeleteRange(r Range) error {
	if ks.unmade() {
		return ErrClosed
	}
	return ks.db.deleteRange(ks, r)
}

// EstimateSize returns about how many bytes of tables the keys of r and the elements
// of their collections take on disk, as DB.EstimateSize does.
func (ks *Keyspace) EstimateSize(r Range) (int64, error) {
	db, space := ks.parts()
	return db.estimateSize(space, r)
}

// Compact merges every table that overlaps r down to the last level, as
// DB.Compact does. The elements of the collections in r count as overlapping
// only if r is all keys.
func (ks *Keyspace) Compact(ctx context.Context, r Range) error {
	if ks.unmade() {
		return ErrClosed
	}
	if err := ks.space.Writable(); err != nil {
		return err
	}
	lo, hi, err := r.deleteRows(ks.space.Prefix())
	if err != nil {
		return err
	}
	return ks.db.compact(ctx, lo, hi)
}

// Keyspace returns the keyspace called name, or ErrNotFound: a name that was
// mistyped makes nothing. Names are 1 to MaxKeyspaceName bytes, any bytes;
// ErrEmptyKey and ErrKeyTooLarge refuse others.
//
// Asking again for one that is there costs a look-up in a map, so that a handle
// need not be kept; all callers get the same.
func (db *DB) Keyspace(name string) (*Keyspace, error) { return db.keyspace(name, false) }

// CreateKeyspace returns the keyspace called name, and makes it if there is none.
// Making one is a commit of its own, durable on return at any Options.Durability.
// A store that is open for reading makes none: that is ErrReadOnly.
func (db *DB) CreateKeyspace(name string) (*Keyspace, error) { return db.keyspace(name, true) }

func (db *DB) keyspace(name string, create bool) (*Keyspace, error) {
	if err := keyspace.CheckName(name); err != nil {
		return nil, err
	}
	if db.unopened() {
		return nil, ErrClosed
	}
	if err := db.life.ClosedErr(); err != nil {
		return nil, err
	}
	if space := db.spaces.Get(name); space != nil {
		return space.Handle.(*Keyspace), nil
	}
	db.spaces.Changing.Lock()
	defer db.spaces.Changing.Unlock()
	space, err := db.findKeyspace(name)
	switch {
	case !errors.Is(err, ErrNotFound):
	case create:
		if err = db.refusal(); err == nil {
			space, err = db.makeKeyspace(name)
		}
	}
	if err != nil {
		return nil, err
	}
	return space.Handle.(*Keyspace), nil
}

// Keyspaces returns the names of all named keyspaces, in bytewise order.
func (db *DB) Keyspaces() ([]string, error) {
	if db.unopened() {
		return nil, ErrClosed
	}
	rs := db.states.Hold()
	if rs == nil {
		return nil, ErrClosed
	}
	defer db.states.Drop(rs)
	var names []string
	v := rows.View{State: rs, Seq: db.section.Visible(), Now: db.clock.Now()}
	err := rows.Registry(db.rows, v, func(name string, _ []byte) error {
		names = append(names, name)
		return nil
	})
	return names, err
}

// DropKeyspace drops the keyspace called name with all its keys; ErrNotFound if
// there is none. The cost does not depend on the number of keys. The drop is
// durable on return. Merges give the disk space back.
//
// Every call on a Keyspace that was dropped returns ErrDropped, and the commit of a
// batch or transaction that addressed it is refused. Snapshots, transactions and
// iterators that began before the drop still read its keys. A keyspace made later
// under the same name is another one, and empty.
func (db *DB) DropKeyspace(name string) error {
	if err := keyspace.CheckName(name); err != nil {
		return err
	}
	if db.unopened() {
		return ErrClosed
	}
	if db.opts.ReadOnly {
		return base.ErrReadOnlyStore
	}
	db.spaces.Changing.Lock()
	defer db.spaces.Changing.Unlock()
	ks, err := db.findKeyspace(name)
	if err != nil {
		return err
	}
	c := commit.NewChange()
	defer c.Free()
	addDrop(c, ks)
	return db.drop(c)
}

// addDrop adds the drop of a keyspace.
func addDrop(c *commit.Change, ks *keyspace.Space) {
	c.AddOp(record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: keyenc.AppendRegistryRow(nil, ks.Name)})
	c.AddRangeDelete(ks.Prefix(), base.Successor(ks.Prefix()))
	c.Drops = append(c.Drops, ks)
}

// dropOthers drops all keyspaces but the named ones, in one commit. The empty name is the
// default keyspace, whose keys are deleted if it is not named. It is ErrNotFound if one
// does not exist.
func (db *DB) dropOthers(names []string) error {
	db.spaces.Changing.Lock()
	defer db.spaces.Changing.Unlock()
	all, err := db.Keyspaces()
	if err != nil {
		return err
	}
	stay := map[string]bool{}
	for _, name := range names {
		if _, ok := slices.BinarySearch(all, name); !ok && name != "" {
			return base.Errorf(ErrNotFound, "there is no keyspace %s", base.Quote(name))
		}
		stay[name] = true
	}
	c := commit.NewChange()
	defer c.Free()
	for _, name := range all {
		if stay[name] {
			continue
		}
		ks, err := db.findKeyspace(name)
		if err != nil {
			return err
		}
		addDrop(c, ks)
	}
	if !stay[""] {
		lo, hi, err := Range{}.deleteRows(nil)
		if err != nil {
			return err
		}
		c.AddRangeDelete(lo, hi)
	} else if len(c.Drops) == 0 {
		return nil
	}
	return db.drop(c)
}

// DropAll drops all named keyspaces, as DropKeyspace does, and deletes all keys of
// the default one. It is one commit, whose cost does not depend on the number of
// keys, and durable on return. Collection ids and keyspace numbers are not used
// again.
func (db *DB) DropAll() error {
	if db.unopened() {
		return ErrClosed
	}
	if db.opts.ReadOnly {
		return base.ErrReadOnlyStore
	}
	db.spaces.Changing.Lock()
	defer db.spaces.Changing.Unlock()
	c := commit.NewChange()
	defer c.Free()
	for _, bounds := range [][2][]byte{
		bounds(keyenc.TimerRange(math.MaxInt64 - 1)),
		bounds(keyenc.RegistryRange()),
		{{keyenc.SpaceKeys}, {keyenc.SpaceElements + 1}},
		{{keyenc.SpaceNamed}, {keyenc.SpaceNamed + 1}},
	} {
		c.AddRangeDelete(bounds[0], bounds[1])
	}
	c.Drops = db.spaces.All()
	return db.drop(c)
}

func bounds(lo, hi []byte) [2][]byte { return [2][]byte{lo, hi} }

// drop commits c, which drops keyspaces, and removes them from the registry.
func (db *DB) drop(c *commit.Change) error {
	c.Urgent = true // it holds Registry.Changing: a turn's holder may be waiting for that
	err := db.commit(c, SyncDurability)
	db.spaces.Forget(c.Drops...)
	return err
}

// findKeyspace returns the keyspace called name, or ErrNotFound. The caller holds
// Registry.Changing.
func (db *DB) findKeyspace(name string) (*keyspace.Space, error) {
	if ks := db.spaces.Get(name); ks != nil {
		return ks, nil
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return nil, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	row := keyenc.AppendRegistryRow(nil, name)
	f, err := rs.Get(row, base.HashRow(row), db.section.Visible())
	switch {
	case err != nil:
		return nil, db.states.ReadError(err)
	case !f.OK:
		return nil, base.Errorf(ErrNotFound, "there is no keyspace %s", base.Quote(name))
	case keyspace.Number(f.Value) == 0:
		return nil, fmt.Errorf("%w: keyspace %q has the prefix %x", ErrCorruption, name, f.Value)
	}
	return db.handOut(name, keyspace.Number(f.Value)), nil
}

// makeKeyspace makes the keyspace called name. The caller holds Registry.Changing.
func (db *DB) makeKeyspace(name string) (*keyspace.Space, error) {
	number, err := db.set.NewKeyspaceNumber()
	if err != nil {
		return nil, err
	}
	c := commit.NewChange()
	defer c.Free()
	row := record.Op{
		Attr: base.MakeAttr(base.KindPut, uint8(record.TypeNone), false),
		Key:  keyenc.AppendRegistryRow(nil, name), Value: keyspace.Prefix(number),
	}
	c.AddOp(row)
	c.Urgent = true
	if err := db.commit(c, SyncDurability); err != nil {
		return nil, err
	}
	return db.handOut(name, number), nil
}

// handOut makes the one Keyspace of a space.
func (db *DB) handOut(name string, number uint32) *keyspace.Space {
	space := keyspace.New(name, number)
	space.Handle = &Keyspace{db: db, space: space}
	db.spaces.Add(space)
	return space
}
