package txn

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
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
	if most := t.engine.maxBytes; most > 0 && !t.ofCall {
		if n := c.Size() + commit.SizeOf(o); n > most {
			return fmt.Errorf("%w: it would hold %d bytes of writes, Options.MaxTxBytes is %d", base.ErrTxTooLarge, n, most)
		}
	}
	c.AddOp(o)
	if len(o.Value) > memtable.LargeValue {
		t.large += int64(len(o.Value))
	}
	t.grown()
	return nil
}

// grown tells the engine what the writes and their index hold, if that is much more
// than it knows of. Large values lie in the change alone.
func (t *Txn) grown() {
	n := t.change.Memory()
	if t.view.Own != nil {
		n += t.view.Own.Bytes() - t.indexed.large
	}
	if n-t.held >= tellFrom {
		t.tellHeld(n)
	}
}

// tellFrom is by how much a transaction grows before it tells the engine: small ones
// touch nothing that others do.
const tellFrom = 64 << 10

// tellHeld says that the transaction holds n bytes, in the memory budget too.
func (t *Txn) tellHeld(n int64) {
	d := n - t.held
	if d == 0 {
		return
	}
	t.held = n
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

// NewID implements collection.Txn.
func (t *Txn) NewID() (uint64, error) {
	if _, err := t.Buffer(); err != nil {
		return 0, err
	}
	id, err := t.engine.set.NewID()
	if err != nil {
		return 0, t.fail(err)
	}
	t.fresh = append(t.fresh, id)
	return id, nil
}

// Dead implements collection.Txn. Rows of a collection that was born in this
// transaction never leave it.
func (t *Txn) Dead(id uint64) { t.deadIn(t.ks.ID(), id) }

// deadIn is Dead in a numbered keyspace.
func (t *Txn) deadIn(number uint32, id uint64) {
	i := slices.Index(t.fresh, id)
	if i < 0 {
		t.dead = append(t.dead, manifest.IDRange{Keyspace: number, First: id, Last: id})
		return
	}
	t.fresh = slices.Delete(t.fresh, i, i+1)
	lo, hi := keyenc.CollectionRange(keyspace.Prefix(number), id, id)
	removed := t.change.Remove(func(key []byte) bool {
		return bytes.Compare(key, lo) >= 0 && bytes.Compare(key, hi) < 0
	})
	if removed {
		t.view.Own, t.view.OwnSeq = nil, 0
		t.large = 0
		for i := range t.change.Len() {
			if n := len(t.change.Op(i).Value); n > memtable.LargeValue {
				t.large += int64(n)
			}
		}
	}
}

// Removed implements collection.Txn. The metadata row was put, so there is a
// buffer.
func (t *Txn) Removed(n uint64) { t.change.Removed += n }

// DropUnborn ends a collection born in this transaction whose metadata row is about
// to be overwritten blindly.
func (t *Txn) DropUnborn(row []byte) {
	if len(t.fresh) == 0 {
		return
	}
	f, ok := t.ownWrite(row, base.HashRow(row))
	if !ok || !f.OK {
		return
	}
	if id, ok := record.CollectionID(record.Type(f.Attr.Type()), f.Value); ok && slices.Contains(t.fresh, id) {
		prefix, _, _ := keyenc.KeyspaceOf(row)
		t.deadIn(keyspace.Number(prefix), id)
	}
}

// DropUnbornIn is DropUnborn for every key row in [lo, hi).
func (t *Txn) DropUnbornIn(lo, hi []byte) {
	if len(t.fresh) == 0 {
		return
	}
	var metadata [][]byte
	for i := range t.change.Len() {
		o := t.change.Op(i)
		if record.Type(o.Attr.Type()).IsCollection() && bytes.Compare(o.Key, lo) >= 0 && bytes.Compare(o.Key, hi) < 0 {
			metadata = append(metadata, bytes.Clone(o.Key))
		}
	}
	for _, row := range metadata {
		t.DropUnborn(row)
	}
}
