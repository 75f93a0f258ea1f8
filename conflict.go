package siltstone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
)

// ConflictError names a key or range that a transaction read and that has changed
// since. errors.Is takes it for ErrConflict. No write of the transaction was applied;
// running it again may succeed.
type ConflictError struct {
	// Keyspace is the name of the keyspace of the conflict; empty: the default one.
	Keyspace string
	// Range is the key, as [key, key+0x00), or the range that changed. For an element
	// of a collection it is the collection's key.
	Range Range
	// Expired is set if the key has expired since it was read.
	Expired bool
}

func (e *ConflictError) Error() string {
	if e == nil {
		return ErrConflict.Error()
	}
	where := ""
	if e.Keyspace != "" {
		where = fmt.Sprintf(" in keyspace %q", e.Keyspace)
	}
	if e.Expired {
		return fmt.Sprintf("%v: key %q%s has expired", ErrConflict, e.Range.Lower, where)
	}
	if bytes.Equal(e.Range.Upper, append(e.Range.Lower[:len(e.Range.Lower):len(e.Range.Lower)], 0)) {
		return fmt.Sprintf("%v: key %q%s has changed", ErrConflict, e.Range.Lower, where)
	}
	return fmt.Sprintf("%v: a key between %q and %q%s has changed", ErrConflict, e.Range.Lower, e.Range.Upper, where)
}

// Is makes every ConflictError match ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// describe turns a conflict of rows into a ConflictError, which names keys of a
// keyspace; other errors stay as they are. A row of a collection is named by the
// collection's key, as of seq. It costs a look-up and is called outside the commit
// section.
func (db *DB) describe(err error, spaces []*keyspace.Space, seq base.SeqNum) error {
	var c *commit.Conflict
	if !errors.As(err, &c) {
		return err
	}
	prefix, _, _ := keyenc.KeyspaceOf(c.Lo)
	lo, hi := c.Lo[len(prefix):], bytes.TrimPrefix(c.Hi, prefix)
	e := &ConflictError{Range: Range{Lower: lo, Upper: hi}, Expired: c.Expired}
	if number := keyspace.Number(prefix); number != 0 {
		for _, ks := range spaces {
			if ks.Number == number {
				e.Keyspace = ks.Name
			}
		}
	}
	switch {
	case len(lo) > 0 && lo[0] == keyenc.SpaceKeys:
		e.Range = Range{Lower: lo[1:]}
		if len(hi) > 0 && hi[0] == keyenc.SpaceKeys {
			e.Range.Upper = hi[1:]
		}
	case len(lo) > 8 && lo[0] == keyenc.SpaceElements:
		if key := db.ownerOf(prefix, binary.BigEndian.Uint64(lo[1:]), seq); key != nil {
			e.Range = Range{Lower: key, Upper: append(key[:len(key):len(key)], 0)}
		}
	}
	return e
}

// ownerOf returns the key of a collection, as of seq; nil if it is not known.
func (db *DB) ownerOf(prefix []byte, id uint64, seq base.SeqNum) []byte {
	rs, n := db.states.Pin()
	if rs == nil {
		return nil
	}
	defer db.states.Unpin(rs, n)
	owner := keyenc.AppendElementRow(nil, prefix, id, keyenc.TagOwner, "")
	f, err := rs.Get(owner, base.HashRow(owner), seq)
	if err != nil || !f.OK || len(f.Value) <= len(prefix)+1 {
		return nil
	}
	return bytes.Clone(f.Value[len(prefix)+1:])
}
