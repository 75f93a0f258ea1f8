package siltstone

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
)

// registry knows the named keyspaces. Which there are is written in registry
// rows, name → prefix; an edit of the manifest reserves their numbers, which are
// never used twice. To make one is to commit its row, to drop it is to commit a
// tombstone of that row together with a range tombstone over its prefix. Safe
// for concurrent use.
type registry struct {
	mu          sync.Mutex // held by who makes or drops a keyspace, across the commit
	next, limit uint32     // numbers that are reserved and not handed out

	handles sync.RWMutex
	open    map[string]*Keyspace // handles handed out since Open
}

// keyspaceBlock is how many numbers one edit reserves.
const keyspaceBlock = 16

// Keyspace returns the keyspace called name, which it makes if there is none.
// Names are 1 to MaxKeyspaceName bytes, any bytes; ErrEmptyKey and
// ErrKeyTooLarge refuse others. A store that is open for reading has no
// keyspaces but those it has: a missing one is ErrNotFound.
//
// Making one is a commit of its own, durable on return at any
// Options.Durability. Asking again for one that is there costs a look-up in a
// map, so that a handle need not be kept; all callers get the same.
func (db *DB) Keyspace(name string) (*Keyspace, error) {
	if err := checkKeyspaceName(name); err != nil {
		return nil, err
	}
	if err := db.closedErr(); err != nil {
		return nil, err
	}
	if ks := db.registry.handle(name); ks != nil {
		return ks, nil
	}
	db.registry.mu.Lock()
	defer db.registry.mu.Unlock()
	ks, err := db.findKeyspace(name)
	if errors.Is(err, ErrNotFound) && !db.opts.ReadOnly {
		ks, err = db.makeKeyspace(name)
	}
	return ks, err
}

// Keyspaces returns the names of all named keyspaces, in bytewise order.
func (db *DB) Keyspaces() ([]string, error) {
	rs := db.states.hold()
	if rs == nil {
		return nil, ErrClosed
	}
	defer db.states.drop(rs)
	var names []string
	v := readView{rs: rs, seq: base.SeqNum(db.visible.Load()), now: db.clock.now()}
	err := db.registryRows(v, func(name string, _ []byte) error {
		names = append(names, name)
		return nil
	})
	return names, err
}

// DropKeyspace ends the keyspace called name, with all it holds, at a cost that
// does not depend on how much that is; ErrNotFound if there is none. It is
// durable on return. The disk space comes back by itself.
//
// A handle of a dropped keyspace stays one: whatever is asked of it is
// ErrDropped, and a commit that has something to do with it is refused. What was
// begun before, a snapshot, a transaction or an iterator, still reads what it
// held. A keyspace made under the same name is another one, and empty.
func (db *DB) DropKeyspace(name string) error {
	if err := checkKeyspaceName(name); err != nil {
		return err
	}
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
	db.registry.mu.Lock()
	defer db.registry.mu.Unlock()
	ks, err := db.findKeyspace(name)
	if err != nil {
		return err
	}
	c := newChange()
	defer c.free()
	row := record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: keyenc.AppendRegistryRow(nil, name)}
	if err := c.addOp(row); err != nil {
		return err
	}
	if err := c.appendRangeDelete(ks.prefix(), base.Successor(ks.prefix())); err != nil {
		return err
	}
	c.drops = []*Keyspace{ks}
	return db.drop(c)
}

// DropAll ends all named keyspaces, as DropKeyspace does, and deletes all keys
// of the default one, in one commit that costs the same however much there is.
// It is durable on return. Collection ids and keyspace numbers go on from where
// they are.
func (db *DB) DropAll() error {
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
	db.registry.mu.Lock()
	defer db.registry.mu.Unlock()
	c := newChange()
	defer c.free()
	for _, bounds := range [][2][]byte{
		bounds(keyenc.TimerRange(math.MaxInt64 - 1)),
		bounds(keyenc.RegistryRange()),
		{{keyenc.SpaceKeys}, {keyenc.SpaceElements + 1}},
		{{keyenc.SpaceNamed}, {keyenc.SpaceNamed + 1}},
	} {
		if err := c.appendRangeDelete(bounds[0], bounds[1]); err != nil {
			return err
		}
	}
	c.drops = db.registry.handedOut()
	return db.drop(c)
}

func bounds(lo, hi []byte) [2][]byte { return [2][]byte{lo, hi} }

// drop commits c, which drops keyspaces, and forgets their handles.
func (db *DB) drop(c *change) error {
	c.urgent = true // it holds the registry: nobody who waits for that may be waited for
	err := db.commit(c, Sync)
	db.registry.forgetDropped()
	return err
}

// findKeyspace returns the keyspace called name if there is one. The caller
// holds the registry.
func (db *DB) findKeyspace(name string) (*Keyspace, error) {
	if ks := db.registry.handle(name); ks != nil {
		return ks, nil
	}
	rs, n := db.states.pin()
	if rs == nil {
		return nil, ErrClosed
	}
	defer db.states.unpin(rs, n)
	row := keyenc.AppendRegistryRow(nil, name)
	f, err := rs.get(row, hashRow(row), base.SeqNum(db.visible.Load()))
	switch {
	case err != nil:
		return nil, db.readError(err)
	case !f.ok:
		return nil, ErrNotFound
	case keyspaceNumber(f.value) == 0:
		return nil, fmt.Errorf("%w: keyspace %q has the prefix %x", ErrCorruption, name, f.value)
	}
	return db.registry.handOut(db, name, keyspaceNumber(f.value)), nil
}

// makeKeyspace makes the keyspace called name. The caller holds the registry.
func (db *DB) makeKeyspace(name string) (*Keyspace, error) {
	number, err := db.newKeyspaceNumber()
	if err != nil {
		return nil, err
	}
	c := newChange()
	defer c.free()
	row := record.Op{
		Attr: base.MakeAttr(base.KindPut, uint8(record.TypeNone), false),
		Key:  keyenc.AppendRegistryRow(nil, name), Value: keyspacePrefix(number),
	}
	if err := c.addOp(row); err != nil {
		return nil, err
	}
	c.urgent = true
	if err := db.commit(c, Sync); err != nil {
		return nil, err
	}
	return db.registry.handOut(db, name, number), nil
}

// newKeyspaceNumber returns a number that no keyspace ever had. The caller holds
// the registry.
func (db *DB) newKeyspaceNumber() (uint32, error) {
	r := &db.registry
	if r.next == r.limit {
		db.store.mu.Lock()
		first := max(db.store.state.KeyspaceLimit, 1) // 0 is the default keyspace
		db.store.mu.Unlock()
		if first > math.MaxUint32-keyspaceBlock {
			return 0, errors.New("siltstone: no keyspace number is left")
		}
		if err := db.applyEdit(&manifest.Edit{KeyspaceLimit: first + keyspaceBlock}, nil); err != nil {
			return 0, err
		}
		r.next, r.limit = first, first+keyspaceBlock
	}
	r.next++
	return r.next - 1, nil
}

// registryRows calls fn with the name and value of every registry row of a view.
func (db *DB) registryRows(v readView, fn func(name string, value []byte) error) error {
	lo, hi := keyenc.RegistryRange()
	it, err := db.newRowIter(v, lo, hi, false)
	if err != nil {
		return db.readError(err)
	}
	defer it.release()
	for ok := it.first(); ok; ok = it.next() {
		if err := fn(string(it.key[len(lo):]), it.value); err != nil {
			return err
		}
	}
	if it.err != nil {
		return db.readError(it.err)
	}
	return nil
}

// handle returns the handle of a keyspace, if it was handed out and not dropped.
func (r *registry) handle(name string) *Keyspace {
	r.handles.RLock()
	defer r.handles.RUnlock()
	if ks := r.open[name]; ks != nil && ks.ended.Load() == 0 {
		return ks
	}
	return nil
}

// handOut makes the one handle of a keyspace.
func (r *registry) handOut(db *DB, name string, number uint32) *Keyspace {
	ks := &Keyspace{db: db, name: name, number: number, rows: keyspacePrefix(number)}
	r.handles.Lock()
	defer r.handles.Unlock()
	if r.open == nil {
		r.open = map[string]*Keyspace{}
	}
	r.open[name] = ks
	return ks
}

// handedOut returns all handles.
func (r *registry) handedOut() []*Keyspace {
	r.handles.RLock()
	defer r.handles.RUnlock()
	return slices.Collect(maps.Values(r.open))
}

// forgetDropped lets the names of dropped keyspaces go.
func (r *registry) forgetDropped() {
	r.handles.Lock()
	defer r.handles.Unlock()
	maps.DeleteFunc(r.open, func(_ string, ks *Keyspace) bool { return ks.ended.Load() != 0 })
}

func checkKeyspaceName(name string) error {
	switch {
	case name == "":
		return ErrEmptyKey
	case len(name) > MaxKeyspaceName:
		return ErrKeyTooLarge
	}
	return nil
}
