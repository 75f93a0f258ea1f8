package siltstone

import (
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/memtable"
)

// The life of a commit:
//
//  1. encoded, hashed and, for a transaction, validated up to the visible
//     sequence, by its caller alone;
//  2. room is made: a full memtable is rotated, a short log is extended. A full
//     disk is a definite error here, and only here;
//  3. in the commit section, where nothing waits and nothing can fail: the rest
//     of the validation, in memory; sequences taken; payload appended to the
//     log's group; memtable filled; visible sequence published;
//  4. the caller waits for its durability level, perhaps as the one who writes
//     and syncs for all.
//
// A failure after 3 is indeterminate and poisons the store.

// commit makes the change visible, whole, and returns when it has reached level
// d. An empty change waits for all that is visible.
func (db *DB) commit(c *change, d Durability) error {
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
	if d == Default {
		d = db.opts.Durability
	}
	if len(c.ops) == 0 && c.reads == nil {
		if err := db.life.ClosedErr(); err != nil {
			return err
		}
		return db.waitFor(db.log.Appended(), d)
	}
	db.fetch(c)
	var sealed *memtable.Table
	if memtable.Footprint(len(c.ops), c.bytes) > db.opts.MemtableBytes/4 {
		sealed = c.sealedTable()
	}
	pos, err := db.enter(c, sealed)
	if err != nil {
		return db.named(err, c)
	}
	return db.waitFor(pos, d)
}

// fetchAhead is how many operations' hash slots are asked for ahead: more would
// push the first ones out of the cache again.
const fetchAhead = 256

// fetch asks for the hash slots that the memtable will look into, so that they are
// there when the commit section needs them.
func (db *DB) fetch(c *change) {
	rs := db.states.Current.Load()
	if rs == nil || len(c.ops) > fetchAhead {
		return
	}
	for i := range c.ops {
		rs.Mem.Fetch(c.ops[i].hash)
	}
}

// enter brings the change into the commit section, making room first as often
// as it takes, and returns its position in the log.
func (db *DB) enter(c *change, sealed *memtable.Table) (commitlog.Position, error) {
	var checked base.SeqNum
	if c.reads != nil {
		var err error
		if checked, err = db.validate(c); err != nil {
			return 0, err
		}
	}
	if !c.urgent && !db.opts.manualWork {
		db.throttle(c.bytes)
	}
	for {
		db.section.Lock()
		next, err := db.admit(c, sealed, checked)
		if next == nil && err == nil {
			for _, ks := range c.drops {
				ks.End(db.section.lastSeq + 1) // before anybody can see it
			}
			pos := db.insert(c, sealed)
			for _, hook := range c.hooks {
				hook()
			}
			db.section.Unlock()
			return pos, nil
		}
		db.section.Unlock()
		if err == nil {
			err = next()
		}
		if err == errRevalidate {
			checked, err = db.validate(c)
		}
		if err != nil {
			return 0, err
		}
	}
}

// errRevalidate asks for the outer phase of validation once more: a flush has
// moved records out of memory since.
var errRevalidate = errors.New("validate again")

// admit decides, inside the commit section, whether the change can be inserted
// right now. If not it returns what to do about it outside, or an error.
func (db *DB) admit(c *change, sealed *memtable.Table, checked base.SeqNum) (next func() error, err error) {
	switch {
	case db.section.closed:
		return nil, ErrClosed
	case db.life.Poisoned():
		return nil, db.life.PoisonErr()
	}
	if err := c.refusal(); err != nil {
		return nil, err
	}
	if !c.urgent {
		if p := db.gate.blocks(c.gate); p != nil {
			return func() error {
				if p.wait() {
					c.gate = p
				}
				return nil
			}, nil
		}
	} else if p := db.gate.now.Load(); p != nil {
		p.overtaken.Store(true)
	}
	size := int64(len(c.payload))
	if err := db.overLimit(c, size); err != nil {
		return func() error { return db.refuse(err) }, nil
	}
	mem := db.section.mem
	switch {
	case sealed != nil:
		// The batch table goes between two memtables: both log files are needed.
		if !db.logs.ready(2, size) {
			return func() error { return db.prepareFor(c) }, nil
		}
	case !mem.Fits(len(c.ops), c.bytes):
		return func() error { return db.rotate(mem) }, nil
	case !db.log.Room(size+deleteReserve) && !(c.frees() && db.log.Room(size)):
		return func() error { return db.extend(c) }, nil
	}
	if db.disk.refused.Load() && !c.frees() {
		db.disk.refused.Store(false)
	}
	if c.reads != nil {
		return nil, db.revalidate(c, checked)
	}
	return nil, nil
}

// extend reserves log space. Its error is definite: nothing was changed.
func (db *DB) extend(c *change) error {
	n := int64(len(c.payload)) + deleteReserve
	if err := db.diskFull(c, n); err != nil {
		return db.refuse(err)
	}
	return db.refuse(storedir.NoSpace(db.log.Extend(n)))
}

// prepareFor has the two logs made that a change with a table of its own needs.
// Its error is definite too.
func (db *DB) prepareFor(c *change) error {
	n := int64(len(c.payload))
	if err := db.diskFull(c, n+c.bytes); err != nil {
		return db.refuse(err)
	}
	return db.refuse(db.prepareLogs(2, n))
}

// insert is the heart of the commit section: it cannot fail.
func (db *DB) insert(c *change, sealed *memtable.Table) commitlog.Position {
	first := db.section.lastSeq + 1
	if len(c.ops) == 0 {
		return db.log.Appended()
	}
	if sealed != nil {
		return db.insertSealed(c, sealed, first)
	}
	// The frame carries the largest reading anybody has seen, for the change may
	// rest on it: a blind put that follows a read of an expired key does.
	pos := db.log.Append(first, uint32(len(c.ops)), db.clock.Shown(), c.payload, c.owned)
	mem := db.section.mem
	for i := range c.ops {
		if i%memtable.WarmKeys == 0 && len(c.ops)-i >= leastWarmed {
			warm(mem.Table, c.ops[i:])
		}
		p := &c.ops[i]
		p.insertInto(mem.Table, first+base.SeqNum(i), c.owned)
		if p.op.Attr.Kind() != base.KindPut {
			mem.Tombstones++
		}
	}
	db.publish(first, len(c.ops))
	if mem.Wants() {
		wake(db.workers.page)
	}
	if db.section.reserved < db.opts.MemtableBytes {
		db.reserve()
	}
	return pos
}

// leastWarmed is how many operations are worth warming the memtable for.
const leastWarmed = 4

// warm prepares the memtable for the first of the operations.
func warm(t *memtable.Table, ops []preparedOp) {
	var hashes [memtable.WarmKeys]uint64
	ops = ops[:min(len(ops), len(hashes))]
	for i := range ops {
		hashes[i] = ops[i].hash
	}
	t.Warm(hashes[:len(ops)])
}

// publish makes the n operations from first on visible.
func (db *DB) publish(first base.SeqNum, n int) {
	db.section.lastSeq = first + base.SeqNum(n) - 1
	db.visible.Store(uint64(db.section.lastSeq))
}

// recordSink is a memtable, or the Builder of one.
type recordSink interface {
	Add(hash uint64, key []byte, tr base.Trailer, value []byte)
	AddReferenced(hash uint64, key []byte, tr base.Trailer, value []byte)
	AddRangeDelete(start, end []byte, seq base.SeqNum)
}

// insertInto adds the operation to t at seq. An owned value, which nobody will
// change, may be referenced instead of copied.
func (p *preparedOp) insertInto(t recordSink, seq base.SeqNum, owned bool) {
	switch {
	case p.op.Attr.Kind() == base.KindRangeDelete:
		t.AddRangeDelete(p.op.Key, p.op.Value, seq)
	case owned:
		t.AddReferenced(p.hash, p.op.Key, p.trailer(seq), p.op.Value)
	default:
		t.Add(p.hash, p.op.Key, p.trailer(seq), p.op.Value)
	}
}

// sealedTable builds a memtable of the change's own, with sequences relative to
// zero, for a change too large for the shared one.
func (c *change) sealedTable() *memtable.Table {
	if c.table != nil {
		return c.table
	}
	b := memtable.NewBuilder(memtable.Footprint(len(c.ops), c.bytes), len(c.ops))
	for i := range c.ops {
		c.ops[i].insertInto(b, base.SeqNum(i), c.owned)
	}
	return b.Table()
}

// insertSealed links the change's own table between the current memtable and a
// new one. Each gets a log of its own: what a flush retires is exactly what it
// holds.
func (db *DB) insertSealed(c *change, sealed *memtable.Table, first base.SeqNum) commitlog.Position {
	sealed.Rebase(first - c.tableFirst) // wraps round to get below a transaction's own numbers
	own, after := db.logs.take(int64(len(c.payload))), db.logs.take(0)
	old := db.section.mem
	db.seal(old)
	db.log.Rotate(own)
	pos := db.log.Append(first, uint32(len(c.ops)), db.clock.Shown(), c.payload, c.owned)
	db.log.Rotate(after)
	batch := &readstate.Mem{Table: sealed, Log: own.Number, Begin: old.End}
	db.seal(batch)
	fresh := &readstate.Mem{Table: db.spare.chunks.New(int(db.opts.MemtableBytes)), Log: after.Number, Begin: pos, Usual: true}
	db.section.mem = fresh
	db.states.Publish(func(rs *readstate.State) {
		rs.Imms = append([]*readstate.Mem{batch, old}, rs.Imms...)
		rs.Mem = fresh
	})
	db.publish(first, len(c.ops))
	db.wakeFlush()
	return pos
}

// waitFor waits until everything up to pos has reached level d. A failure is
// indeterminate: readers have seen the commit, and whether it survives is known
// when the store is opened again.
func (db *DB) waitFor(pos commitlog.Position, d Durability) error {
	if d == Default {
		d = db.opts.Durability
	}
	level := commitlog.Durable
	switch d {
	case OS:
		level = commitlog.Written
	case Buffered:
		level = commitlog.Gathered
	}
	if err := db.log.Wait(pos, level); err != nil {
		if db.life.Closing() {
			return ErrClosed
		}
		db.life.Poison(err)
		return fmt.Errorf("%w: %w", ErrIndeterminate, db.life.PoisonErr())
	}
	return nil
}
