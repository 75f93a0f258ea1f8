package commit

import (
	"bytes"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Conflict says which rows that a transaction read have changed since: those in
// [Lo, Hi). It is ErrConflict to errors.Is. Nothing of the change was applied.
type Conflict struct {
	Lo, Hi  []byte
	Expired bool // the row Lo has expired
}

func (e *Conflict) Error() string { return base.ErrConflict.Error() }

// Is makes every Conflict match ErrConflict.
func (e *Conflict) Is(target error) bool { return target == base.ErrConflict }

// ErrStateChanged is the conflict of a one-shot call whose state was replaced, by
// a rotation or a merge, while it ran: the call just runs again.
var ErrStateChanged error = &Conflict{}

// IsConflict reports whether err says that reads have changed.
func IsConflict(err error) bool { return errors.Is(err, base.ErrConflict) }

func pointConflict(row []byte) error {
	return rangeConflict(row, append(row[:len(row):len(row)], 0))
}

// rangeConflict copies the bounds: they are a read set's, which is used again.
func rangeConflict(lo, hi []byte) *Conflict {
	return &Conflict{Lo: bytes.Clone(lo), Hi: bytes.Clone(hi)}
}
