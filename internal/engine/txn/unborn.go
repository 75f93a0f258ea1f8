package txn

import (
	"bytes"
	"maps"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
)

// births are the collections that began in a transaction. The rows of one that ends
// there, too, never leave it.
type births struct {
	fresh []uint64        // ids of those that live
	ended map[uint64]bool // ids of those whose rows are still among the writes
	kept  int             // writes that were left when such rows were removed last

	// of the step that is under way, in case that is refused
	endedNow []uint64 // ids that it has ended
	removed  []uint64 // ids that are in ended no more, because their rows were removed
}

// removeFrom is from how many writes on rows are removed before the commit.
const removeFrom = 1024

// end notes that a collection has ended, and reports whether it began here.
func (b *births) end(id uint64) bool {
	i := slices.Index(b.fresh, id)
	if i < 0 {
		return false
	}
	b.fresh = slices.Delete(b.fresh, i, i+1)
	if b.ended == nil {
		b.ended = map[uint64]bool{}
	}
	b.ended[id] = true
	b.endedNow = append(b.endedNow, id)
	return true
}

// beginStep forgets what the step before has done.
func (b *births) beginStep() { b.endedNow, b.removed = b.endedNow[:0], b.removed[:0] }

// undo takes back what the step has ended. The rows that it has removed are there again.
// An id that it has made may stay in fresh: no row has it.
func (b *births) undo() {
	for _, id := range b.removed {
		b.ended[id] = true
	}
	for _, id := range b.endedNow {
		delete(b.ended, id)
		b.fresh = append(b.fresh, id)
	}
}

// reset makes them those of a new transaction.
func (b *births) reset() {
	clear(b.ended)
	b.fresh, b.kept = b.fresh[:0], 0
	b.beginStep()
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
	t.born.fresh = append(t.born.fresh, id)
	return id, nil
}

// Dead implements collection.Txn. Rows of a collection that was born in this
// transaction never leave it.
func (t *Txn) Dead(id uint64) { t.deadIn(t.ks.ID(), id) }

// deadIn is Dead in a numbered keyspace.
func (t *Txn) deadIn(number uint32, id uint64) {
	if !t.born.end(id) {
		t.dead = append(t.dead, manifest.IDRange{Keyspace: number, First: id, Last: id})
		return
	}
	if t.change.Len() >= 2*t.born.kept+removeFrom {
		t.removeUnborn()
	}
}

// removeUnborn removes the rows of collections that have begun and ended in this
// transaction from its writes, and reports whether there were any. It walks all
// writes, so it is done when there are twice as many as it left the last time, and
// before the commit.
func (t *Txn) removeUnborn() (removed bool) {
	if len(t.born.ended) == 0 {
		return false
	}
	removed = t.change.Remove(func(_ int, o record.Op) bool {
		_, rest, ok := keyenc.KeyspaceOf(o.Key)
		if !ok {
			return false
		}
		id, _, _, ok := keyenc.ParseCollectionRow(rest)
		return ok && t.born.ended[id]
	})
	t.born.removed = slices.AppendSeq(t.born.removed, maps.Keys(t.born.ended))
	clear(t.born.ended)
	if t.born.kept = t.change.Len(); removed {
		t.renumbered()
	}
	return removed
}

// dropUnborn ends a collection born in this transaction whose metadata row is about
// to be overwritten blindly.
func (t *Txn) dropUnborn(row []byte) {
	f, ok := t.ownWrite(row, base.HashRow(row))
	if !ok || !f.OK {
		return
	}
	if id, ok := record.CollectionID(record.Type(f.Attr.Type()), f.Value); ok && slices.Contains(t.born.fresh, id) {
		prefix, _, _ := keyenc.KeyspaceOf(row)
		t.deadIn(keyspace.Number(prefix), id)
	}
}

// dropUnbornIn is dropUnborn for every key row in [lo, hi).
func (t *Txn) dropUnbornIn(lo, hi []byte) {
	var metadata [][]byte
	for i := range t.change.Len() {
		o := t.change.Op(i)
		if record.Type(o.Attr.Type()).IsCollection() && bytes.Compare(o.Key, lo) >= 0 && bytes.Compare(o.Key, hi) < 0 {
			metadata = append(metadata, bytes.Clone(o.Key))
		}
	}
	for _, row := range metadata {
		t.dropUnborn(row)
	}
}
