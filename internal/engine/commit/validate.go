package commit

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/sstable"
)

// validation is how far the reads of a change have been validated.
type validation struct {
	checked base.SeqNum // up to here nothing has changed them
	watch   *watch      // of many reads: asks for what has entered since; nil: none
	lost    int         // how often the watch has lost some of it
}

// mostLost is how often a watch may lose count before the validation goes on without.
const mostLost = 2

// validate is the outer phase of a commit's validation. It may take long; it holds
// no lock.
func (s *Section) validate(c *Change, v *validation) (err error) {
	// The state that it read answers for what came before, but for a change that was
	// flushed before it was visible.
	if c.State != nil && v.watch == nil && c.State.TableSeq <= v.checked {
		return nil
	}
	for {
		if v.watch == nil || !v.watch.begun {
			if v.checked, err = s.validateSince(c, v.checked); err != nil || v.watch == nil {
				return err
			}
			v.watch.begun = true
		}
		if complete, err := s.ask(v.watch); err != nil || complete {
			return err
		}
		v.watch.begun = false
		if v.lost++; v.lost == mostLost {
			s.endWatch(v.watch)
			v.watch = nil
		}
	}
}

// validateSince asks whether anything in the read set has changed between the
// sequence since and the sequence visible now, which it returns. It may read tables.
// Sources whose largest sequence is not above since are not asked.
func (s *Section) validateSince(c *Change, since base.SeqNum) (checked base.SeqNum, err error) {
	// Asked first, pinned second: the state has all that is visible. The other way round
	// a change could enter a memtable that only the next state has, and count as checked.
	checked = s.Visible()
	if checked == since {
		return checked, nil
	}
	rs, n := s.states.Pin()
	if rs == nil {
		return 0, base.ErrClosed
	}
	defer s.states.Unpin(rs, n)
	if err := changedInMemory(rs, c.Reads, since); err != nil {
		return 0, err
	}
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			if t.MaxSeq > since {
				if err := changedInTable(t, c.Reads, since); err != nil {
					return 0, err
				}
			}
		}
	}
	return checked, nil
}

// revalidateLocked is the inner phase, inside the commit section: records that came
// since the outer one are in memory. If a flush has moved them the outer phase is due
// again (errRevalidate). For many reads the watch has the records that entered. The
// commit's clock is compared with the earliest expiry read.
func (s *Section) revalidateLocked(c *Change, v *validation) error {
	checked := v.checked
	if expiry, row := c.Reads.Expiry(); expiry != 0 && expiry <= s.clock.Now() {
		return &Conflict{Lo: bytes.Clone(row), Expired: true}
	}
	rs := s.states.Current.Load()
	switch {
	case c.State != nil && rs != c.State:
		return ErrStateChanged
	case v.watch != nil:
		return v.watch.conflictLocked()
	case s.lastSeq == checked:
		return nil
	case rs == nil:
		return base.ErrClosed
	case rs.TableSeq > checked:
		return errRevalidate
	}
	return changedInMemory(rs, c.Reads, checked)
}

// changedInMemory returns a Conflict if a memtable has a record or range tombstone
// above since on anything in s.
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
			return rangeConflict(i.Lo, hi)
		}
	}
	return nil
}

// changedInTable does the same for a table that has sequences above since.
func changedInTable(t *readstate.Table, s *readset.Set, since base.SeqNum) error {
	r, err := t.Get()
	if err != nil {
		return err
	}
	for _, p := range s.Points() {
		if t.EndsBefore(p.Row) || bytes.Compare(t.Smallest, p.Row) > 0 {
			continue
		}
		if t.RangeDeletes > 0 && r.RangeDeletes().Cover(p.Row, base.SeqMax) > since {
			return pointConflict(p.Row)
		}
		l := sstable.Loan{Want: sstable.WantKey}
		_, tr, ok, err := r.Get(p.Row, p.Hash, base.SeqMax, &l)
		l.Return()
		if err != nil {
			return err
		}
		if ok && tr.Seq > since {
			return pointConflict(p.Row)
		}
	}
	for _, i := range s.Intervals() {
		if err := intervalInTable(t, &i, since); err != nil {
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
		return rangeConflict(i.Lo, hi)
	}
	it := r.NewIter(sstable.IterOptions{KeysOnly: true, Lower: i.Lo, Upper: hi})
	defer it.Close()
	for e := it.SeekGE(i.Lo, base.SeqMax); e != nil; e = it.Next() {
		if hi != nil && bytes.Compare(e.Key, hi) >= 0 {
			break
		}
		if e.Seq > since {
			return pointConflict(e.Key)
		}
	}
	return it.Err()
}
