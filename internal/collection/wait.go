package collection

import (
	"context"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Waits is a Source whose calls can wait for a key to be written. A store is one; a
// transaction or snapshot is none, since it does not see what others write.
type Waits interface {
	Source
	// Join takes the last place in the line of those who wait for an element of key.
	Join(ctx context.Context, key string) (Line, error)
}

// Line is a caller's place in a line, and the Source of the calls with which it looks for
// an element: one that commits a change gives the place up. It belongs to one goroutine.
type Line interface {
	Source
	// Sleep returns nil when it is the caller's turn to look, because it is the first
	// and the key may have been written, or because the store's clock shows what d says.
	Sleep(d Due) error
	// Leave gives the place up, if it is not given up yet.
	Leave()
}

// Due is what a caller waits for beside a commit that writes the key's own row. The zero
// Due is nothing.
type Due struct {
	At int64  // a reading of the store's clock; 0: none
	ID uint64 // a commit that writes a row of this collection; 0: of none
}

// errCannotWait refuses to wait in a transaction or snapshot.
var errCannotWait = errors.New("siltstone: a call that waits sees what others write, and a transaction or snapshot does not: call it on the DB or Keyspace")

// Wait runs try when it is the caller's turn, again for as long as it returns ErrNotFound,
// and returns what else it returns. try takes what it finds in one call of the source that
// it is given, which is the last one it makes.
func Wait[T any](ctx context.Context, src Source, key string, try func(src Source) (T, Due, error)) (T, error) {
	var none T
	var due Due
	if src == nil {
		return none, base.ErrClosed // a zero handle
	}
	w, ok := src.(Waits)
	if !ok {
		return none, errCannotWait
	}
	line, err := w.Join(ctx, key)
	if err != nil {
		return none, err
	}
	defer line.Leave()
	for {
		if err := line.Sleep(due); err != nil {
			return none, err
		}
		var v T
		if v, due, err = try(line); !errors.Is(err, base.ErrNotFound) {
			return v, err
		}
	}
}

// Standing returns how a key may change without a write of its own row: by a write of a
// row of the collection id, which is 0 if it has none, and by its expiry, which is 0 if
// there is none. A key that does not exist has neither.
func Standing(t Txn, name string) (id uint64, expiry int64, err error) {
	sc := t.Scratch()
	head, trailer, err := t.Head(sc.Val[:0], KeyRow(t, name), metaHead)
	if err != nil {
		return 0, 0, AbsentOK(err)
	}
	sc.Val = head[:0]
	id, _ = record.CollectionID(record.Type(trailer.Attr.Type()), head)
	return id, trailer.Expiry, nil
}

// ID returns the id of the collection's rows; 0: it has none.
func (c *Collection) ID() uint64 { return c.meta.ID }

// AppendRowsOf appends what all rows of collection id begin with, and nothing if id is 0.
func AppendRowsOf(dst, prefix []byte, id uint64) []byte {
	if id == 0 {
		return dst
	}
	return keyenc.AppendCollection(dst, prefix, id)
}
