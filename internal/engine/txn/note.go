package txn

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// What a commit notes for readers of changes, beside its operations: whose the rows of
// collections are, and what metadata rows and small collections held before. Both are
// read from the state of the transaction, without its own writes. They are true if the
// commit is: a call that writes rows of a collection, or its metadata, rests on the
// metadata that it has read.

// takeNote appends the items of the commit's note to c.
func (t *Txn) takeNote(c *commit.Change) error {
	owners := noted{}
	for i := range c.Len() {
		o := c.Op(i)
		prefix, rest, ok := keyenc.KeyspaceOf(o.Key)
		if !ok || o.Attr.Kind() == base.KindRangeDelete && c.Len() == 1 {
			continue
		}
		var err error
		if id, _, _, element := keyenc.ParseCollectionRow(rest); element && owners.first(id) {
			err = t.noteOwner(c, prefix, id)
		} else if !element && record.Type(o.Attr.Type()).IsCollection() {
			err = t.noteWas(c, o)
		}
		if err != nil {
			return t.fail(t.engine.states.ReadError(err))
		}
	}
	return nil
}

// noted are the collections whose owners were looked up.
type noted struct {
	last uint64 // ids begin at 1
	all  map[uint64]struct{}
}

// first reports whether id comes for the first time.
func (n *noted) first(id uint64) bool {
	if id == n.last {
		return false
	}
	if n.all == nil && n.last != 0 {
		n.all = map[uint64]struct{}{n.last: {}}
	}
	n.last = id
	if n.all == nil {
		return true
	}
	_, met := n.all[id]
	n.all[id] = struct{}{}
	return !met
}

// before looks a row up without the transaction's own writes, and adds no read.
func (t *Txn) before(row []byte) (readstate.Found, error) {
	f, err := t.view.State.Look(row, base.HashRow(row), t.view.Seq, readstate.WantValue)
	f.OK = f.OK && err == nil && !t.expired(f.Trailer)
	return f, err
}

// noteOwner notes whose the rows of collection id are. One that begins with the commit
// has no owner yet, and of one that is dead nobody wants to know.
func (t *Txn) noteOwner(c *commit.Change, prefix []byte, id uint64) error {
	var room [128]byte
	f, err := t.before(keyenc.AppendElementRow(room[:0], prefix, id, keyenc.TagOwner, ""))
	defer f.Loan.Return()
	if err != nil || !f.OK {
		return err
	}
	old, err := t.before(f.Value)
	defer old.Loan.Return()
	if err != nil || !old.OK {
		return err
	}
	typ := record.Type(old.Attr.Type())
	if held, ok := record.CollectionID(typ, old.Value); ok && held == id {
		c.Items = record.NoteItem{Kind: record.NoteOwner, ID: id, Type: typ, Row: f.Value}.Append(c.Items)
	}
	return nil
}

// noteWas notes what the metadata row that is put held before, if it was the same
// collection in the same form.
func (t *Txn) noteWas(c *commit.Change, o record.Op) error {
	typ := record.Type(o.Attr.Type())
	old, err := t.before(o.Key)
	defer old.Loan.Return()
	if err != nil || !old.OK || record.Type(old.Attr.Type()) != typ {
		return err
	}
	now, err := record.DecodeMeta(o.Value)
	if err != nil {
		return err
	}
	was, err := record.DecodeMeta(old.Value)
	if err != nil || was.Encoding != now.Encoding || was.ID != now.ID {
		return nil // a damaged one is replaced
	}
	item := record.NoteItem{Kind: record.NoteWas, ID: was.ID, Type: typ, Row: o.Key, Expiry: old.Expiry}
	if was.Encoding == record.EncodingInline && typ != record.TypeList {
		item.Body = was.Body
	}
	c.Items = item.Append(c.Items)
	return nil
}

// NoteExpired notes that the key row is deleted because its time had come.
func (t *Txn) NoteExpired(row []byte) {
	if t.engine.notes {
		t.change.Items = record.NoteItem{Kind: record.NoteExpired, Row: row}.Append(t.change.Items)
	}
}
