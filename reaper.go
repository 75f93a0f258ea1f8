package siltstone

import (
	"errors"
	"slices"
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
)

// reaper decides about collections that may be dead and frees the rows of those
// that are. To nominate is to suspect: a typed call that ended a collection, a
// merge that dropped a metadata row, and a timer that is due all nominate; only
// the reaper kills, in a validated transaction at the newest sequence, by asking
// the owner row who owns the collection and that key's newest row whether it
// still does:
//
//	no owner row                              → dead already
//	the owner's row is live and carries the id → alive
//	otherwise                                 → range tombstone over the id's rows
//
// A nomination of the manifest leaves it with the flush that makes the verdict
// durable. Duplicates are harmless. Safe for concurrent use.
type reaper struct {
	mu      sync.Mutex
	pending []manifest.IDRange // to be decided
}

// reapBatch is how many collections one transaction decides about at most.
const reapBatch = 1024

// nominate hands over collections that a transaction has ended. A crash may lose
// the hint: then a merge finds them.
func (db *DB) nominate(ids []uint64) {
	if len(ids) == 0 {
		return
	}
	db.reaper.mu.Lock()
	for _, id := range ids {
		db.reaper.pending = append(db.reaper.pending, manifest.IDRange{First: id, Last: id})
	}
	db.reaper.mu.Unlock()
	wake(db.workers.reap)
}

// nominateRanges hands over what merges nominated.
func (db *DB) nominateRanges(r []manifest.IDRange) {
	if len(r) == 0 {
		return
	}
	db.reaper.mu.Lock()
	db.reaper.pending = append(db.reaper.pending, r...)
	db.reaper.mu.Unlock()
	wake(db.workers.reap)
}

// take returns the next collections to decide about, at most reapBatch.
func (r *reaper) take() (ids []manifest.IDRange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := uint64(0)
	for len(r.pending) > 0 && n < reapBatch {
		p := r.pending[0]
		if p.Last-p.First >= reapBatch-n {
			cut := p.First + (reapBatch - n) - 1
			ids = append(ids, manifest.IDRange{Keyspace: p.Keyspace, First: p.First, Last: cut})
			r.pending[0].First = cut + 1
			return ids
		}
		ids = append(ids, p)
		n += p.Last - p.First + 1
		r.pending = r.pending[1:]
	}
	return ids
}

// giveBack returns what was not decided.
func (r *reaper) giveBack(ids []manifest.IDRange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = append(ids, r.pending...)
}

// reapStep decides about some collections; did tells whether there were any.
func (db *DB) reapStep() (did bool, err error) {
	if db.poison.set() || db.opts.ReadOnly {
		return false, nil
	}
	if err := db.nominateDue(); err != nil {
		return false, err
	}
	ids := db.reaper.take()
	if len(ids) == 0 {
		return false, nil
	}
	for {
		err = db.reap(ids)
		if !errors.Is(err, ErrConflict) {
			break
		}
	}
	if err != nil {
		db.reaper.giveBack(ids)
	}
	return err == nil, err
}

// reap decides about ids in one transaction.
func (db *DB) reap(ids []manifest.IDRange) error {
	tx, err := db.Begin(db.workers.ctx, ReadWrite)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	t := &tx.t
	var dead []manifest.IDRange
	for _, r := range ids {
		for id := r.First; ; id++ {
			gone, err := t.judge(r.Keyspace, id)
			if err != nil {
				return err
			}
			if gone {
				dead = append(dead, manifest.IDRange{Keyspace: r.Keyspace, First: id, Last: id})
			}
			if id == r.Last {
				break
			}
		}
	}
	for _, r := range joinNeighbours(dead) {
		lo, hi := keyenc.CollectionRange(keyspacePrefix(r.Keyspace), r.First, r.Last)
		if err := t.DeleteRange(lo, hi); err != nil {
			return err
		}
	}
	c, err := t.buffer()
	if err != nil {
		return err
	}
	c.urgent = true
	c.hooks = append(c.hooks, func() {
		mem := db.section.mem
		mem.settled = append(mem.settled, ids...)
	})
	return tx.commit(nil)
}

// judge reports whether collection id is dead and has rows left. A row that has
// expired becomes a tombstone, so that no slow writer revives it.
func (t *txn) judge(keyspace uint32, id uint64) (dead bool, err error) {
	prefix := keyspacePrefix(keyspace)
	owner := keyenc.AppendElementRow(nil, prefix, id, keyenc.TagOwner, "")
	row, _, err := t.Get(nil, owner)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f, err := t.look(row)
	if err != nil {
		return false, err
	}
	held, carries := record.CollectionID(record.Type(f.Attr.Type()), f.value)
	carries = carries && held == id && f.Attr.Kind() == base.KindPut
	if carries && f.ok {
		return false, nil
	}
	if carries {
		if err := t.Delete(row); err != nil {
			return false, err
		}
	}
	return true, nil
}

// keyspacePrefix is the prefix of rows of a numbered keyspace.
func keyspacePrefix(n uint32) []byte {
	if n == 0 {
		return nil
	}
	return keyenc.AppendKeyspacePrefix(nil, n)
}

// joinNeighbours joins ranges of neighbouring ids, so that a storm of dead
// collections leaves few tombstones.
func joinNeighbours(r []manifest.IDRange) []manifest.IDRange {
	slices.SortFunc(r, func(a, b manifest.IDRange) int {
		if a.Keyspace != b.Keyspace {
			return int(a.Keyspace) - int(b.Keyspace)
		}
		if a.First < b.First {
			return -1
		}
		return 1
	})
	out := r[:0]
	for _, x := range r {
		if n := len(out); n > 0 && out[n-1].Keyspace == x.Keyspace && x.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, x.Last)
			continue
		}
		out = append(out, x)
	}
	return out
}

// nominateDue nominates the collections whose timers are due, and deletes the
// timers.
func (db *DB) nominateDue() error {
	now := db.clock.now()
	lo, hi := keyenc.TimerRange(now)
	rs := db.states.hold()
	if rs == nil {
		return ErrClosed
	}
	defer db.states.drop(rs)
	v := readView{rs: rs, seq: base.SeqNum(db.visible.Load()), now: now}
	it, err := db.newRowIter(v, lo, hi, false)
	if err != nil {
		return err
	}
	defer it.release()
	c := newChange()
	defer c.free()
	c.urgent = true
	var due []manifest.IDRange
	for ok := it.first(); ok && len(due) < reapBatch; ok = it.next() {
		if _, id, ok := keyenc.ParseTimerRow(it.key); ok {
			due = append(due, manifest.IDRange{Keyspace: keyspaceNumber(it.value), First: id, Last: id})
		}
		from := len(c.payload)
		c.payload = record.AppendOp(c.payload, record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: it.key})
		if err := c.add(from); err != nil {
			return err
		}
	}
	if it.err != nil || len(c.ops) == 0 {
		return it.err
	}
	db.nominateRanges(due)
	return db.commit(c, Buffered)
}

// keyspaceNumber is the reverse of keyspacePrefix.
func keyspaceNumber(prefix []byte) uint32 {
	if len(prefix) != 5 {
		return 0
	}
	return uint32(prefix[1])<<24 | uint32(prefix[2])<<16 | uint32(prefix[3])<<8 | uint32(prefix[4])
}
