package commit

import (
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/internal/record"
)

// watch notes what enters the store while a large set of reads is validated. The
// set is indexed and the records that have entered ask it, so that the last part of
// the validation, inside the commit section, costs what entered in the moment
// before and not what was read.
type watch struct {
	seen entered // Section.mu guards it

	// of the one who validates
	asked entered // kept for its memory
	begun bool    // what entered before it began has been validated
	index *readset.Index
}

// entered is what changes have entered with.
type entered struct {
	few  operations   // the rows of small changes, as deletes, and their range deletes
	bulk []operations // large changes, whose memory is shared
	ops  int          // of all
	full bool         // there were too many: some are missing
}

const (
	// watchFrom is from how many reads on a validation watches: fewer are asked
	// inside the commit section in about a millisecond.
	watchFrom = 4096
	// watchFew is how many operations ask inside the commit section at most.
	watchFew = 256
	// mostWatched bounds what a watch keeps, in operations.
	mostWatched = 1 << 20
)

// beginWatch returns a watch of everything that enters from now on.
func (s *Section) beginWatch(r *readset.Set) *watch {
	w := &watch{index: readset.NewIndex(r)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watches = append(s.watches, w)
	return w
}

// endWatch ends it; nil is none.
func (s *Section) endWatch(w *watch) {
	if w == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.watches, w); i >= 0 {
		s.watches = slices.Delete(s.watches, i, i+1)
	}
}

// noteLocked notes a change that has entered.
func (w *watch) noteLocked(c *Change) {
	e := &w.seen
	switch {
	case e.full:
		return
	case e.ops+c.count > mostWatched:
		*e = entered{full: true}
		return
	}
	e.ops += c.count
	if c.owned && c.count > indexed { // Free lets their memory go
		e.bulk = append(e.bulk, c.operations)
		return
	}
	for i := range c.count {
		o := c.Op(i)
		if o.Attr.Kind() != base.KindRangeDelete {
			o = record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: o.Key}
		}
		e.few.AddOp(o)
	}
}

// ask asks for everything that has entered, until only little has since. It reports
// false if the watch has lost some of it: then it begins anew, and so must the
// validation.
func (s *Section) ask(w *watch) (complete bool, err error) {
	for {
		e := &w.asked
		e.reset()
		s.mu.Lock()
		w.seen, w.asked = w.asked, w.seen
		s.mu.Unlock()
		if e.full {
			return false, nil
		}
		if err := w.conflict(e); err != nil {
			return true, err
		}
		if e.ops <= watchFew {
			return true, nil
		}
	}
}

func (e *entered) reset() {
	clear(e.bulk)
	*e = entered{few: e.few.emptied(), bulk: e.bulk[:0]}
}

// conflict returns the conflict of the reads with what has entered.
func (w *watch) conflict(e *entered) error {
	if err := w.conflictWith(&e.few); err != nil {
		return err
	}
	for i := range e.bulk {
		if err := w.conflictWith(&e.bulk[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *watch) conflictWith(c *operations) error {
	for i := range c.count {
		switch o := c.Op(i); {
		case o.Attr.Kind() == base.KindRangeDelete:
			w.index.Order()
			if w.index.Overlaps(o.Key, o.Value) {
				return rangeConflict(o.Key, o.Value)
			}
		case w.index.Has(c.hashOf(i, o), o.Key):
			return pointConflict(o.Key)
		}
	}
	return nil
}

// conflictLocked is conflict inside the commit section. It is errRevalidate if that
// would take long.
func (w *watch) conflictLocked() error {
	e := &w.seen
	if e.full || e.ops > watchFew || !w.index.Ordered() && e.rangeDeletes() {
		return errRevalidate
	}
	return w.conflict(e)
}

func (e *entered) rangeDeletes() bool {
	for i := range e.few.count {
		if e.few.Op(i).Attr.Kind() == base.KindRangeDelete {
			return true
		}
	}
	return len(e.bulk) > 0
}
