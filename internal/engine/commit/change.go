package commit

import (
	"context"
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/waiters"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/latency"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/memtable"
)

// Change is one commit on its way into the store: the encoded operations, and of the
// first of them the places and hashes, which are found before the commit section is
// entered. It belongs to one goroutine.
type Change struct {
	operations
	owned bool // they will not change any more: log and memtable may point into them

	table      *memtable.Table // the operations in order, if the transaction has made it
	tableFirst base.SeqNum     // the sequence of the first of them there

	Reads   *readset.Set      // what a transaction read; nil for blind writes
	State   *readstate.State  // if set, the reads hold only while it is the current one
	Turn    *Turn             // of the attempt that others wait for
	Spaces  []*keyspace.Space // named keyspaces it rests on: refused if one of them is dropped
	Drops   []*keyspace.Space // keyspaces it drops
	Removed uint64            // elements that collections lose by it
	Urgent  bool              // the store's own commit: never throttled nor held back
	Ctx     context.Context   // if set, its end ends the wait for somebody's turn
	waited  int               // for how many turns it has waited
	sampler latency.Sampler   // of all changes that had this memory

	// The clock readings that its deadlines count from; 0: they are fixed, or there
	// are none. A change that has to wait counts from the end of the wait: the
	// deadlines of its puts are moved, or, if a call has derived more from the
	// reading, the call runs again.
	From, CallFrom int64

	// Entered, if set, is called inside the section once the change has happened,
	// with the log of the memtable it went to.
	Entered func(mem base.FileNum)
	// Once the change is visible, before its caller waits for its durability, Lock is
	// unlocked and set to nil, and the turn is ended if EndTurn is set.
	Lock    *invariants.Mutex
	EndTurn bool
	// Place, if set, is that of the caller who has waited for what the change takes. It
	// is given up then, too.
	Place *waiters.Place

	commitNote
	// Last is the sequence of its last operation, once the change is visible.
	Last base.SeqNum
}

// commitNote is what stands in front of the commit in the log, where notes are taken.
type commitNote struct {
	Items []byte // what the transaction adds: see record.AppendNote
	head  []byte // the whole note
	// replayed says that the change comes with the note of another store.
	replayed bool
	// OfMerge says that a merge waits for the commit, which tells what the merge takes out.
	// So it waits for no merge, as others do on a full disk.
	OfMerge bool
}

// referenceFrom is the payload size from which a commit copies its payload once
// and lets log and memtable reference the copy.
const referenceFrom = 64 << 10

var changePool = sync.Pool{New: func() any { return &Change{sampler: latency.NewSampler()} }}

// NewChange returns an empty change. Free returns it to the pool.
func NewChange() *Change { return changePool.Get().(*Change) }

// Free returns c to the pool. Operations that log or memtable may reference are let
// go.
func (c *Change) Free() {
	if c.owned {
		c.tail = nil
	}
	c.operations = c.emptied()
	invariants.Poison(c.tail)
	if cap(c.Spaces) > 1024 {
		c.Spaces = nil
	}
	if cap(c.Items)+cap(c.head) > referenceFrom {
		c.Items, c.head = nil, nil
	}
	clear(c.Spaces)
	*c = Change{
		operations: c.operations, Spaces: c.Spaces[:0],
		commitNote: commitNote{Items: c.Items[:0], head: c.head[:0]}, sampler: c.sampler,
	}
	changePool.Put(c)
}

// takeNote makes the note that stands in front of the change in the log.
func (c *Change) takeNote() {
	c.head = c.head[:0]
	if len(c.Spaces) == 0 {
		c.head = record.AppendNote(c.head, c.Items)
		return
	}
	var spaces []byte
	for _, ks := range c.Spaces {
		if ks != nil {
			spaces = record.NoteItem{Kind: record.NoteKeyspace, Number: ks.Number, Name: []byte(ks.Name)}.Append(spaces)
		}
	}
	c.head = record.AppendNote(c.head, spaces, c.Items)
}

// logged returns how many bytes the change takes of a log frame.
func (c *Change) logged() int64 { return int64(len(c.head)) + c.Encoded() }

// AddRangeDelete adds a range tombstone over the rows [lo, hi).
func (c *Change) AddRangeDelete(lo, hi []byte) {
	c.AddOp(record.Op{Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: lo, Value: hi})
}

// touch notes that the change rests on a named keyspace.
func (c *Change) touch(ks *keyspace.Space) {
	if ks != nil {
		c.Spaces = append(c.Spaces, ks)
	}
}

// Put makes c one put of a user key.
func (c *Change) Put(ks *keyspace.Space, key, value []byte, a base.Attr, expiry int64) {
	c.touch(ks)
	keyLen := len(ks.Prefix()) + 1 + len(key)
	c.ownPayload(keyLen + len(value))
	c.tail = AppendRowOp(c.tail, a, expiry, ks.Prefix(), key)
	end := len(c.tail)
	c.tail = record.AppendOpValue(c.tail, value)
	c.note(a, expiry, end-keyLen, end, keyLen, len(value))
}

// Delete makes c one delete of a user key.
func (c *Change) Delete(ks *keyspace.Space, key []byte) {
	c.touch(ks)
	keyLen := len(ks.Prefix()) + 1 + len(key)
	c.ownPayload(keyLen)
	a := base.MakeAttr(base.KindDelete, 0, false)
	c.tail = AppendRowOp(c.tail, a, 0, ks.Prefix(), key)
	end := len(c.tail)
	c.note(a, 0, end-keyLen, end, keyLen, 0)
}

// AppendRowOp appends an op up to its key, the row of user key in the keyspace
// with the given prefix.
func AppendRowOp(dst []byte, a base.Attr, expiry int64, prefix, key []byte) []byte {
	dst = record.AppendOpHead(dst, a, expiry, len(prefix)+1+len(key))
	return keyenc.AppendKeyRow(dst, prefix, key)
}

// ownPayload begins a payload of about n bytes. A payload of referenceFrom bytes
// or more gets its own buffer, because log and memtable keep pointing into it. The
// buffer is left nil: the single large append then allocates it once, without
// zeroing.
func (c *Change) ownPayload(n int) {
	if n+record.MaxOpOverhead+1 >= referenceFrom {
		c.tail, c.owned = nil, true
	}
}

// Fill makes c the operations of p, which it copies. If they are relative, the expiry of
// a put is a time to live in milliseconds, which counts from now.
func (c *Change) Fill(p *Pieces, relative bool, now int64) error {
	c.ownPayload(int(p.Encoded()))
	for piece := range p.All {
		if relative {
			if err := c.fillRelative(piece, now); err != nil {
				return err
			}
			continue
		}
		c.complete(cap(c.tail))
		c.tail = append(c.tail, piece...)
		if err := c.index(); err != nil {
			return err
		}
	}
	return nil
}

// fillRelative adds the operations of one piece, whose times to live count from now.
func (c *Change) fillRelative(piece []byte, now int64) error {
	for len(piece) > 0 {
		o, n, err := record.DecodeOp(piece)
		if err != nil {
			return err
		}
		piece = piece[n:]
		if o.Attr.HasExpiry() {
			o.Expiry = ExpiryAt(now, o.Expiry)
		}
		c.AddOp(o)
	}
	return nil
}

// Own says that the operations will not change any more.
func (c *Change) Own() { c.owned = c.Encoded() >= referenceFrom }

// UseTable says that t holds the operations in order, the first at sequence first.
func (c *Change) UseTable(t *memtable.Table, first base.SeqNum) { c.table, c.tableFirst = t, first }

// Remove removes the operations that are to be dropped, by number, and reports whether there
// were any. The others are written anew.
func (c *Change) Remove(drop func(i int, o record.Op) bool) (removed bool) {
	var kept operations
	for i := range c.count {
		if o := c.Op(i); drop(i, o) {
			removed = true
		} else {
			kept.AddOp(o)
		}
	}
	if removed {
		c.operations = kept
	}
	return removed
}

// Mark is how a change stood at a moment. What was encoded then stays where it is.
type Mark struct {
	operations
	removed uint64
	items   int
}

// Mark returns how the change stands.
func (c *Change) Mark() Mark { return Mark{c.operations, c.Removed, len(c.Items)} }

// Return takes back what was added since m.
func (c *Change) Return(m Mark) {
	c.operations, c.Removed, c.Items = m.operations, m.removed, c.Items[:m.items]
}

// refusal returns ErrDropped if a keyspace that the change rests on is no more.
// It is asked inside the commit section.
func (c *Change) refusal() error {
	for _, ks := range c.Spaces {
		if err := ks.Writable(); err != nil {
			return err
		}
	}
	return nil
}

// frees reports whether the change takes at least as much away as it writes:
// rows, as deletes do, or elements, which a small collection keeps in one row and
// a removal puts again without them.
func (c *Change) frees() bool {
	return uint64(c.puts) <= uint64(c.tombstones())+c.Removed
}

// tombstones returns how many deletes and range deletes the change holds.
func (c *operations) tombstones() int { return c.count - c.puts }

// InsertInto adds the operations from number from on to t, the first at sequence
// seq. Owned operations may be referenced instead of copied.
func (c *Change) InsertInto(t readstate.RecordSink, from int, seq base.SeqNum, owned bool) {
	for i := from; i < c.count; i++ {
		o := c.Op(i)
		readstate.Insert(t, c.hashOf(i, o), o, seq+base.SeqNum(i-from), owned)
	}
}

// sealedTable builds a memtable of the change's own, with sequences relative to
// zero, for a change too large for the shared one.
func (c *Change) sealedTable() *memtable.Table {
	if c.table != nil {
		return c.table
	}
	b := memtable.NewBuilder(memtable.Footprint(c.count, c.bytes), c.count)
	c.InsertInto(b, 0, 0, c.owned)
	return b.Table()
}
