package siltstone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/sstable"
)

// ConflictError says what a transaction read that has changed since. It is
// ErrConflict to errors.Is. Nothing of the transaction was applied; running it
// again may succeed.
type ConflictError struct {
	// Keyspace is the name of the keyspace it happened in; empty: the default one.
	Keyspace string
	// Range is the key, as [key, key+0x00), or the range that changed. If it was an
	// element of a collection, it is the collection's key.
	Range Range
	// Expired is set if what changed is that a key ran out of time.
	Expired bool

	number uint32 // of the keyspace, until the names are filled in
	id     uint64 // of the collection, if it was one of its rows
}

func (e *ConflictError) Error() string {
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

// errStateChanged is the conflict of a one-shot call whose state was replaced,
// by a rotation or a merge, while it ran: the call just runs again.
var errStateChanged error = &ConflictError{}

func isConflict(err error) bool { return errors.Is(err, ErrConflict) }

func pointConflict(row []byte) error {
	return conflict(row, append(row[:len(row):len(row)], 0))
}

// conflict turns row bounds into what a user knows: keys of a keyspace. Of rows
// of a collection it notes the id, for the error to be told with its key; other
// rows stand for themselves, from where the keyspace's prefix ends.
func conflict(lo, hi []byte) *ConflictError {
	prefix, _, _ := keyenc.KeyspaceOf(lo)
	lo, hi = lo[len(prefix):], bytes.TrimPrefix(hi, prefix)
	e := &ConflictError{Range: Range{Lower: bytes.Clone(lo), Upper: bytes.Clone(hi)}, number: keyspace.Number(prefix)}
	if len(lo) > 0 && lo[0] == keyenc.SpaceKeys {
		e.Range = Range{Lower: e.Range.Lower[1:]}
		if len(hi) > 0 && hi[0] == keyenc.SpaceKeys {
			e.Range.Upper = bytes.Clone(hi[1:])
		}
	} else if len(lo) > 8 && lo[0] == keyenc.SpaceElements {
		e.id = binary.BigEndian.Uint64(lo[1:])
	}
	return e
}

// named fills in what a conflict's change knows by name: the keyspace, and the
// key of a collection. It costs a look-up and is called outside the section. A
// one-shot call just runs again, and nobody asks.
func (db *DB) named(err error, c *change) error {
	var e *ConflictError
	if c.state != nil || !errors.As(err, &e) {
		return err
	}
	if e.number != 0 {
		for _, ks := range c.spaces {
			if ks.Number == e.number {
				e.Keyspace = ks.Name
			}
		}
	}
	if e.id == 0 {
		return err
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return err
	}
	defer db.states.Unpin(rs, n)
	prefix := keyspace.Prefix(e.number)
	owner := keyenc.AppendElementRow(nil, prefix, e.id, keyenc.TagOwner, "")
	f, lookErr := rs.Get(owner, base.HashRow(owner), c.reads.Seq)
	if row := f.Value; lookErr == nil && f.OK && len(row) > len(prefix)+1 {
		key := append(bytes.Clone(row[len(prefix)+1:]), 0)
		e.Range = Range{Lower: key[: len(key)-1 : len(key)-1], Upper: key}
	}
	return err
}

// validate is the outer phase of a commit's validation: it asks whether
// anything in the read set has changed between the transaction's sequence and
// the sequence visible now, which it returns. It may read tables; it holds no
// lock. Sources whose largest sequence is not above the transaction's are not
// asked.
func (db *DB) validate(c *change) (checked base.SeqNum, err error) {
	s := c.reads
	if c.state != nil {
		return s.Seq, nil // the state it read answers for what came before
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return 0, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	checked = base.SeqNum(db.visible.Load())
	if checked == s.Seq {
		return checked, nil
	}
	if err := changedInMemory(rs, s, s.Seq); err != nil {
		return 0, err
	}
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			if t.MaxSeq > s.Seq {
				if err := changedInTable(t, s); err != nil {
					return 0, err
				}
			}
		}
	}
	return checked, nil
}

// revalidate is the inner phase, inside the commit section: what has changed
// since the outer one is in memory, unless a flush has moved it, and then the
// outer phase is due again. The commit's clock is compared with the earliest
// expiry read.
func (db *DB) revalidate(c *change, checked base.SeqNum) error {
	s := c.reads
	if expiry, row := s.Expiry(); expiry != 0 && expiry <= db.clock.Now() {
		e := conflict(row, nil)
		e.Expired = true
		return e
	}
	if c.state != nil && db.states.Current.Load() != c.state {
		return errStateChanged
	}
	if db.section.lastSeq == checked {
		return nil
	}
	rs := db.states.Current.Load()
	if rs == nil {
		return ErrClosed
	}
	if rs.TableSeq > checked {
		return errRevalidate
	}
	return changedInMemory(rs, s, checked)
}

// changedInMemory returns a ConflictError if a memtable has a record or range
// tombstone above since on anything in s.
func changedInMemory(rs *readstate.State, s *readset.Set, since base.SeqNum) error {
	if err := changed(rs.Mem, s, since); err != nil {
		return err
	}
	for _, m := range rs.Imms {
		if err := changed(m, s, since); err != nil {
			return err
		}
	}
	return nil
}

func changed(m *readstate.Mem, s *readset.Set, since base.SeqNum) error {
	if m.Empty() || m.MaxSeq() <= since {
		return nil
	}
	for _, p := range s.Points() {
		if m.Newer(p.Hash, p.Row, since) || m.CoverSeq(p.Row, base.SeqMax) > since {
			return pointConflict(p.Row)
		}
	}
	for _, i := range s.Intervals() {
		hi := i.Upper()
		if key, ok := m.NewerInRange(i.Lo, hi, since); ok {
			return pointConflict(key)
		}
		if m.RangeDeletesNewer(i.Lo, hi, since) {
			return conflict(i.Lo, hi)
		}
	}
	return nil
}

// changedInTable does the same for a table that has sequences above s.Seq.
func changedInTable(t *readstate.Table, s *readset.Set) error {
	r, err := t.Get()
	if err != nil {
		return err
	}
	for _, p := range s.Points() {
		if t.EndsBefore(p.Row) || bytes.Compare(t.Smallest, p.Row) > 0 {
			continue
		}
		if t.RangeDeletes > 0 && r.RangeDeletes().Cover(p.Row, base.SeqMax) > s.Seq {
			return pointConflict(p.Row)
		}
		_, tr, ok, err := r.Get(p.Row, p.Hash, base.SeqMax, nil)
		if err != nil {
			return err
		}
		if ok && tr.Seq > s.Seq {
			return pointConflict(p.Row)
		}
	}
	for _, i := range s.Intervals() {
		if err := intervalInTable(t, &i, s.Seq); err != nil {
			return err
		}
	}
	return nil
}

// intervalInTable walks the table's part of the interval.
func intervalInTable(t *readstate.Table, i *readset.Interval, since base.SeqNum) error {
	hi := i.Upper()
	if t.EndsBefore(i.Lo) || hi != nil && bytes.Compare(t.Smallest, hi) >= 0 {
		return nil
	}
	r, err := t.Get()
	if err != nil {
		return err
	}
	if t.RangeDeletes > 0 && r.RangeDeletes().Overlaps(i.Lo, hi, since) {
		return conflict(i.Lo, hi)
	}
	it := r.NewIter(sstable.IterOptions{KeysOnly: true})
	defer it.Close()
	for e := it.SeekGE(i.Lo, base.SeqMax); e != nil; e = it.Next() {
		if hi != nil && bytes.Compare(e.Key, hi) >= 0 {
			break
		}
		if e.Seq > since {
			return pointConflict(bytes.Clone(e.Key))
		}
	}
	return it.Err()
}
