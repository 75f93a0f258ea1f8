package repair

import (
	"context"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/check"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Mended is the faults that Mend found and mended.
type Mended struct {
	Keyspaces   []error // faults of the names of keyspaces
	Collections []error // whose rows did not agree
}

// Mend makes the keyspaces and collections of an open store whole. There is no other
// writer. It calls pin for the store as it is, once before each of the two
// parts, and commit for the operations of a part of the work, which it uses again.
func Mend(ctx context.Context, pin func() (check.Store, error), commit func(ops []record.Op) error) (Mended, error) {
	var done Mended
	for _, part := range []func(context.Context, *check.Store, *batch, *Mended) error{mendKeyspaces, mendCollections} {
		s, err := pin()
		if err != nil {
			return done, err
		}
		b := &batch{commit: commit}
		err = part(ctx, &s, b, &done)
		s.Release()
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// batch gathers operations and commits them by the thousand.
type batch struct {
	commit func(ops []record.Op) error
	ops    []record.Op
}

// batchOps is how many operations are committed together.
const batchOps = 1000

// add adds one operation, whose slices it keeps.
func (b *batch) add(o record.Op) error {
	if b.ops = append(b.ops, o); len(b.ops) < batchOps {
		return nil
	}
	return b.flush()
}

func (b *batch) put(row []byte, typ record.Type, value []byte) error {
	return b.add(record.Op{Attr: base.MakeAttr(base.KindPut, uint8(typ), false), Key: row, Value: value})
}

func (b *batch) delete(row []byte) error {
	return b.add(record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: row})
}

func (b *batch) deleteRange(lo, hi []byte) error {
	return b.add(record.Op{Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: lo, Value: hi})
}

// flush commits the gathered operations.
func (b *batch) flush() error {
	if len(b.ops) == 0 {
		return nil
	}
	err := b.commit(b.ops)
	clear(b.ops)
	b.ops = b.ops[:0]
	return err
}
