package txn

import (
	"bytes"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/memtable"
)

// Put implements collection.Txn.
func (t *Txn) Put(row []byte, typ record.Type, expiry int64, value []byte) error {
	return t.write(record.Op{
		Attr: base.MakeAttr(base.KindPut, uint8(typ), expiry != 0), Expiry: expiry, Key: row, Value: value,
	})
}

// Delete implements collection.Txn.
func (t *Txn) Delete(row []byte) error {
	return t.write(record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: row})
}

// DeleteRange implements collection.Txn.
func (t *Txn) DeleteRange(lo, hi []byte) error {
	if bytes.Compare(lo, hi) >= 0 {
		return nil
	}
	return t.write(record.Op{Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: lo, Value: hi})
}

func (t *Txn) write(o record.Op) error {
	c, err := t.Buffer()
	if err != nil {
		return err
	}
	if most := t.engine.maxBytes; most > 0 && t.own.bounded {
		n := c.Size() + commit.SizeOf(o)
		if n > most && t.removeUnborn() {
			n = c.Size() + commit.SizeOf(o)
		}
		if n > most {
			return fmt.Errorf("%w: it would hold %d bytes of writes, Options.MaxTxBytes is %d", base.ErrTxTooLarge, n, most)
		}
	}
	c.AddOp(o)
	if len(o.Value) > memtable.LargeValue {
		t.own.large += int64(len(o.Value))
	}
	t.removeReplaced()
	t.grown()
	return nil
}

// grown tells the engine what the writes, their index and the reads hold, if that is much
// more than it knows of. Large values lie in the change alone.
func (t *Txn) grown() {
	if n := t.memory(); n-t.own.held >= tellFrom {
		t.tellHeld(n)
	}
}

// memory returns the bytes that the writes, their index and the reads hold.
func (t *Txn) memory() int64 {
	n := t.reads.Grown()
	if t.change != nil {
		n += t.change.Memory()
	}
	if t.view.Own != nil {
		n += t.view.Own.Bytes() - t.own.indexed
	}
	return n
}

// ReadsGrown implements readset.Owner.
func (t *Txn) ReadsGrown() { t.grown() }

// tellFrom is by how much a transaction grows before it tells the engine: small ones
// touch nothing that others do.
const tellFrom = 64 << 10

// tellHeld says that the transaction holds n bytes, in the memory budget too.
func (t *Txn) tellHeld(n int64) {
	d := n - t.own.held
	if d == 0 {
		return
	}
	t.own.held = n
	t.engine.Held.Add(d)
	if budget := t.engine.states.Tables.Cache(); d > 0 {
		budget.Reserve(d)
	} else {
		budget.Release(-d)
	}
}

// Buffer returns the change that the writes go to.
func (t *Txn) Buffer() (*commit.Change, error) {
	switch {
	case t.err != nil:
		return nil, t.err
	case !t.writes:
		return nil, base.Errorf(base.ErrReadOnly, "write in a read-only transaction")
	}
	if t.change == nil {
		t.change = commit.NewChange()
	}
	return t.change, nil
}

// Removed implements collection.Txn. The metadata row was put, so there is a
// buffer.
func (t *Txn) Removed(n uint64) { t.change.Removed += n }
