package commit

import (
	"context"
	"sync"
	"unsafe"

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

// Change is one commit on its way into the store: the encoded operations, and of each
// its place and its hash, which are found before the commit section is entered. It
// belongs to one goroutine.
type Change struct {
	payload []byte // record.Ops, as the log takes them
	ops     []op   // where they stand in payload
	bytes   int64  // of keys and values
	owned   bool   // payload will not change any more: log and memtable may point into it

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

// op is one operation of a Change: where its key and its value stand in the
// payload, which may still move while it grows.
type op struct {
	hash     uint64
	expiry   int64
	key      int
	keyLen   uint32
	valueLen uint32
	attr     base.Attr
}

// referenceFrom is the payload size from which a commit copies its payload once
// and lets log and memtable reference the copy.
const referenceFrom = 64 << 10

var changePool = sync.Pool{New: func() any { return &Change{sampler: latency.NewSampler()} }}

// NewChange returns an empty change. Free returns it to the pool.
func NewChange() *Change { return changePool.Get().(*Change) }

// Free returns c to the pool. A payload that log or memtable may reference is let
// go.
func (c *Change) Free() {
	if c.owned || cap(c.payload) > referenceFrom {
		c.payload = nil
	}
	invariants.Poison(c.payload)
	if cap(c.ops) > 1024 {
		c.ops = nil
	}
	if cap(c.Spaces) > 1024 {
		c.Spaces = nil
	}
	if cap(c.Items)+cap(c.head) > referenceFrom {
		c.Items, c.head = nil, nil
	}
	clear(c.Spaces)
	*c = Change{
		payload: c.payload[:0], ops: c.ops[:0], Spaces: c.Spaces[:0],
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
func (c *Change) logged() int64 { return int64(len(c.head) + len(c.payload)) }

// Len returns the number of operations.
func (c *Change) Len() int { return len(c.ops) }

// opSize is what an operation takes beside its bytes in the payload.
const opSize = int64(unsafe.Sizeof(op{}))

// Size returns the bytes of the operations, and Memory those that the change holds
// for them, with room to grow.
func (c *Change) Size() int64   { return int64(len(c.payload)) + opSize*int64(len(c.ops)) }
func (c *Change) Memory() int64 { return int64(cap(c.payload)) + opSize*int64(cap(c.ops)) }

// Room returns the bytes that the payload has room for. It changes whenever the
// payload moves.
func (c *Change) Room() int64 { return int64(cap(c.payload)) }

// SizeOf returns about what AddOp adds to the Size of a change.
func SizeOf(o record.Op) int64 { return int64(len(o.Key)+len(o.Value)) + opSize }

// Op returns operation i. Its slices point into the payload.
func (c *Change) Op(i int) record.Op {
	o := &c.ops[i]
	end := o.key + int(o.keyLen)
	r := record.Op{Attr: o.attr, Expiry: o.expiry, Key: c.payload[o.key:end:end]}
	if o.attr.Kind() != base.KindDelete {
		from := end + uvarintLen(uint64(o.valueLen))
		r.Value = c.payload[from : from+int(o.valueLen) : from+int(o.valueLen)]
	}
	return r
}

// Hash returns the hash of operation i's row, 0 for a range delete.
func (c *Change) Hash(i int) uint64 { return c.ops[i].hash }

// uvarintLen returns how many bytes a uvarint takes.
func uvarintLen(v uint64) (n int) {
	for n = 1; v >= 0x80; n++ {
		v >>= 7
	}
	return n
}

// note enters the operation whose key of keyLen bytes ends at end of the payload,
// before its value was appended.
func (c *Change) note(a base.Attr, expiry int64, end, keyLen, valueLen int) {
	o := op{expiry: expiry, key: end - keyLen, keyLen: uint32(keyLen), valueLen: uint32(valueLen), attr: a}
	if a.Kind() != base.KindRangeDelete {
		o.hash = base.HashRow(c.payload[o.key:end])
	}
	c.ops = append(c.ops, o)
	c.bytes += int64(keyLen + valueLen)
}

// AddOp adds an operation, whose slices are copied. The caller has checked the
// limits.
func (c *Change) AddOp(o record.Op) {
	c.payload = append(record.AppendOpHead(c.payload, o.Attr, o.Expiry, len(o.Key)), o.Key...)
	end := len(c.payload)
	valueLen := 0
	if o.Attr.Kind() != base.KindDelete {
		valueLen = len(o.Value)
		c.payload = record.AppendOpValue(c.payload, o.Value)
	}
	c.note(o.Attr, o.Expiry, end, len(o.Key), valueLen)
}

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
	c.payload = AppendRowOp(c.payload, a, expiry, ks.Prefix(), key)
	end := len(c.payload)
	c.payload = record.AppendOpValue(c.payload, value)
	c.note(a, expiry, end, keyLen, len(value))
}

// Delete makes c one delete of a user key.
func (c *Change) Delete(ks *keyspace.Space, key []byte) {
	c.touch(ks)
	keyLen := len(ks.Prefix()) + 1 + len(key)
	c.ownPayload(keyLen)
	a := base.MakeAttr(base.KindDelete, 0, false)
	c.payload = AppendRowOp(c.payload, a, 0, ks.Prefix(), key)
	c.note(a, 0, len(c.payload), keyLen, 0)
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
		c.payload, c.owned = nil, true
	}
}

// Fill makes c the count operations that ops holds, encoded one after the other.
// If they are relative, the expiry of a put is a time to live in milliseconds,
// which counts from now.
func (c *Change) Fill(ops []byte, count int, relative bool, now int64) error {
	c.ownPayload(len(ops))
	if !relative {
		c.payload = append(c.payload, ops...)
		return c.index()
	}
	if n := len(ops) + 9*count; c.owned {
		c.payload = make([]byte, 0, n+record.MaxOpOverhead+1)
	}
	for len(ops) > 0 {
		o, n, err := record.DecodeOp(ops)
		if err != nil {
			return err
		}
		ops = ops[n:]
		if o.Attr.HasExpiry() {
			o.Expiry = ExpiryAt(now, o.Expiry)
		}
		c.AddOp(o)
	}
	return nil
}

// index finds every op of a complete payload that a Batch encoded.
func (c *Change) index() error {
	c.ops, c.bytes = c.ops[:0], 0
	for at := 0; at < len(c.payload); {
		o, n, err := record.DecodeOp(c.payload[at:])
		if err != nil {
			return err
		}
		valueBytes := 0
		if o.Attr.Kind() != base.KindDelete {
			valueBytes = uvarintLen(uint64(len(o.Value))) + len(o.Value)
		}
		at += n
		c.note(o.Attr, o.Expiry, at-valueBytes, len(o.Key), len(o.Value))
	}
	return nil
}

// Own says that the payload will not change any more.
func (c *Change) Own() { c.owned = len(c.payload) >= referenceFrom }

// UseTable says that t holds the operations in order, the first at sequence first.
func (c *Change) UseTable(t *memtable.Table, first base.SeqNum) { c.table, c.tableFirst = t, first }

// Remove removes the operations whose key lies in [lo, hi), and reports whether
// there were any. The payload is written anew.
func (c *Change) Remove(drop func(key []byte) bool) (removed bool) {
	kept := Change{ops: make([]op, 0, len(c.ops))}
	for i := range c.ops {
		if o := c.Op(i); drop(o.Key) {
			removed = true
		} else {
			kept.AddOp(o)
		}
	}
	if removed {
		c.payload, c.ops, c.bytes = kept.payload, kept.ops, kept.bytes
	}
	return removed
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
	puts := 0
	for i := range c.ops {
		if c.ops[i].attr.Kind() == base.KindPut {
			puts++
		}
	}
	deletes := len(c.ops) - puts
	return uint64(puts) <= uint64(deletes)+c.Removed
}

// InsertInto adds the operations from number from on to t, the first at sequence
// seq. An owned payload may be referenced instead of copied.
func (c *Change) InsertInto(t readstate.RecordSink, from int, seq base.SeqNum, owned bool) {
	for i := from; i < len(c.ops); i++ {
		readstate.Insert(t, c.ops[i].hash, c.Op(i), seq+base.SeqNum(i-from), owned)
	}
}

// sealedTable builds a memtable of the change's own, with sequences relative to
// zero, for a change too large for the shared one.
func (c *Change) sealedTable() *memtable.Table {
	if c.table != nil {
		return c.table
	}
	b := memtable.NewBuilder(memtable.Footprint(len(c.ops), c.bytes), len(c.ops))
	c.InsertInto(b, 0, 0, c.owned)
	return b.Table()
}

// IsRangeDelete reports whether operation i is one.
func (c *Change) IsRangeDelete(i int) bool { return c.ops[i].attr.Kind() == base.KindRangeDelete }
