package compaction

import (
	"bytes"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// merge is one merge while it runs. Records stream through it one by one: what
// becomes of a record depends on newer ones of its key only, so nothing is held
// back. Not safe for concurrent use.
type merge struct {
	job    *Job
	env    *Env
	in     iterator.Merging
	h      horizon
	all    *rangedel.List       // range tombstones of the inputs, as far as read points tell them apart
	ranges []rangedel.Tombstone // the newest of them over each key
	out    output
	ids    nominations
	gone   ended
	stats  Stats

	key   []byte              // of the last record
	newer base.SeqNum         // its sequence
	frag  int                 // first of ranges that ends behind key
	cover *rangedel.Tombstone // of ranges, over key, if any
	under bool                // a tombstone that stays covers key
	entry iterator.Entry      // a record that is changed on its way out
	spent int                 // bytes read since the last Yield
}

const (
	yieldEvery = 64 << 10
	// A stretch of fewer records is not worth asking for.
	leastStretch = 4
)

// Merge runs the job: it streams the inputs through the rule of decide into new
// tables. A flush is the same with a memtable as its only input. It returns
// a Result in any case; after an error that lists the files to delete. The
// error of a damaged input is, or wraps, base.ErrCorruption.
//
// Merge starts no goroutine and holds no lock; it may run for as long as its
// inputs are large.
func Merge(job Job, env Env) (*Result, error) {
	m := &merge{job: &job, env: &env, h: newHorizon(job.ReadPoints, job.Now)}
	m.open()
	defer m.out.release()
	err := m.run()
	if cerr := m.in.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = m.audit()
	}
	if err != nil {
		err = m.out.abandon(err)
		return &Result{Abandoned: m.out.started, Stats: m.stats}, err
	}
	for _, t := range m.out.done {
		m.stats.BytesOut += t.Size
		m.stats.RangesOut += t.RangeDeletes
	}
	return &Result{Tables: m.out.done, Nominated: m.ids.ranges(), Stats: m.stats}, nil
}

func (m *merge) run() error {
	for e := m.in.First(); e != nil; e = m.in.Next() {
		if err := m.take(e); err != nil {
			return err
		}
		if n := m.in.Stretch(); n >= leastStretch {
			if err := m.stream(n); err != nil {
				return err
			}
		}
		if m.spent >= yieldEvery {
			if err := m.yield(); err != nil {
				return err
			}
		}
	}
	if err := m.in.Err(); err != nil {
		return err
	}
	if err := m.tellEnded(); err != nil {
		return err
	}
	return m.out.close()
}

// open joins the inputs and settles what becomes of their range tombstones,
// which the fate of records depends on.
func (m *merge) open() {
	its := make([]iterator.Iterator, len(m.job.Inputs))
	lists := make([]*rangedel.List, len(m.job.Inputs))
	for i, s := range m.job.Inputs {
		its[i], lists[i] = s.Iter, s.RangeDeletes
	}
	m.in.Init(its)
	all := rangedel.Merge(lists...)
	m.stats.RangesIn = uint64(len(all.Tombstones()))
	m.all = m.h.distinct(all)
	m.ranges = m.all.Newest()
	stay := m.h.remaining(m.all, func(lo, hi []byte) bool {
		return m.job.Older.Overlaps(Span{Lo: lo, Hi: hi, Exclusive: true})
	})
	m.out = newOutput(m.job, m.env, stay)
}

// take decides over record e and passes it on.
func (m *merge) take(e *iterator.Entry) error {
	c := 1
	if m.stats.In > 0 {
		c = bytes.Compare(e.Key, m.key)
	}
	m.read(e)
	switch {
	case c > 0:
		m.key = append(m.key[:0], e.Key...)
		m.newer = infinity
		m.ids.newKey()
		m.shelter(e.Key)
	case c < 0 || e.Seq >= m.newer:
		return fmt.Errorf("%w: compaction reads %q#%d behind %q#%d", base.ErrCorruption, e.Key, e.Seq, m.key, m.newer)
	}
	s := surroundings{newer: m.newer, cover: infinity, under: m.under}
	if m.cover != nil && m.cover.Seq > e.Seq {
		s.cover = m.all.Above(e.Key, e.Seq)
	}
	if e.Seq <= m.h.oldest {
		s.older = m.job.Older.MayHave(e.Key)
	}
	f := m.h.decide(e.Trailer, s)
	if f == buried || f == expired {
		var err error
		if f, err = m.end(e.Key, f, min(s.newer, s.cover) != infinity); err != nil {
			return err
		}
	}
	m.newer = e.Seq
	m.ids.see(e, f < buried, min(s.newer, s.cover), m.all)
	return m.pass(e, f, c > 0)
}

// pass counts record e and hands it, or what replaces it, to the output.
func (m *merge) pass(e *iterator.Entry, f fate, fresh bool) error {
	if fresh {
		m.out.newKey()
	}
	switch f {
	case shadowed:
		m.stats.Shadowed++
		return nil
	case covered:
		m.stats.Covered++
		return nil
	case elided:
		m.stats.Elided++
		return nil
	case expired:
		m.stats.Expired++
		return nil
	case zeroed:
		m.stats.Zeroed++
		m.entry = *e
		m.entry.Seq = 0
		e = &m.entry
	case buried:
		m.stats.Buried++
		m.entry = iterator.Entry{Key: e.Key, Trailer: bury(e.Trailer)}
		e = &m.entry
	}
	m.stats.Out++
	return m.out.add(e)
}

// shelter finds the newest range tombstone over key, and whether any over key stays.
func (m *merge) shelter(key []byte) {
	if len(m.ranges) == 0 {
		return
	}
	for m.frag < len(m.ranges) && bytes.Compare(m.ranges[m.frag].End, key) <= 0 {
		m.frag++
	}
	m.cover, m.under = nil, false
	if m.frag < len(m.ranges) && bytes.Compare(m.ranges[m.frag].Start, key) <= 0 {
		m.cover = &m.ranges[m.frag]
		m.under = m.out.ranges.Cover(key, base.SeqMax) > 0
	}
}

// read counts a record that came in.
func (m *merge) read(e *iterator.Entry) {
	n := len(e.Key) + len(e.Value)
	m.stats.In++
	m.stats.BytesIn += uint64(n)
	m.spent += n
}

// yield lets others have the processor, and the merge be cancelled.
func (m *merge) yield() error {
	n := m.spent
	m.spent = 0
	if m.env.Yield == nil {
		return nil
	}
	return m.env.Yield(n)
}

// audit balances the books: a merge that lost records, or whose inputs did, must
// not be installed.
func (m *merge) audit() error {
	s := &m.stats
	if out := s.Out + s.Shadowed + s.Covered + s.Elided + s.Expired; s.In != out {
		return fmt.Errorf("%w: compaction took in %d records and accounts for %d", base.ErrCorruption, s.In, out)
	}
	if s.Out != m.out.records {
		return fmt.Errorf("%w: compaction put out %d records and its tables hold %d", base.ErrCorruption, s.Out, m.out.records)
	}
	want := int64(0)
	for _, in := range m.job.Inputs {
		if in.Records < 0 {
			return nil
		}
		want += in.Records
	}
	if uint64(want) != s.In {
		return fmt.Errorf("%w: compaction inputs should have %d records and yield %d", base.ErrCorruption, want, s.In)
	}
	return nil
}
