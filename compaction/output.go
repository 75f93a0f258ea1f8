package compaction

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/sstable"
)

// output writes the tables of a merge, one after the other. A table ends
// between two keys, never inside one, so range tombstones are clipped exactly
// at the next table's first key:
//
//	records      a b   e │ h k   │ q
//	tombstone      [─────┼───────┼────)
//	tables       [a … h) │ [h…q) │ [q …
//
// The last table keeps the tombstones' own end. Not safe for concurrent use.
type output struct {
	job    *Job
	env    *Env
	ranges *rangedel.List // what stays of the inputs' range tombstones

	deletes []rangedel.Tombstone // of ranges, those no table has taken yet, by start
	cut     []rangedel.Tombstone // what the last table left of those it took

	w       *sstable.Writer // used from table to table
	counted int64           // bytes of w that Writers counts
	table   *manifest.Table // being written; nil between tables
	sink    sstable.Sink    // of table

	again    bool   // the last record's key is still being added
	shadowed uint64 // records of table that were not the first of their key

	grown   int64 // bytes added since the size was last looked at
	size    int64
	guard   int // first of job.Guards above the last key
	done    []*manifest.Table
	started []base.FileNum // every file made, for an error's sake
	records uint64         // in done, as the tables count them
}

func newOutput(job *Job, env *Env, ranges *rangedel.List) output {
	deletes := slices.Clone(ranges.Tombstones())
	slices.SortFunc(deletes, rangedel.Compare)
	return output{job: job, env: env, ranges: ranges, deletes: deletes}
}

// Writers keeps table writers, whose buffers are some megabytes, from one flush or
// merge to the next. The zero Writers is ready. Safe for concurrent use.
type Writers struct {
	used atomic.Int64 // bytes of the writers at work, about

	mu   invariants.Mutex
	free []*sstable.Writer
}

// mostWriters is how many are kept: as many as work at once under load.
const mostWriters = 3

func (p *Writers) take() *sstable.Writer {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if last := len(p.free) - 1; last >= 0 {
			w := p.free[last]
			p.free[last], p.free = nil, p.free[:last]
			return w
		}
	}
	return sstable.NewWriter(nil, sstable.WriterOptions{})
}

func (p *Writers) give(w *sstable.Writer) {
	if p == nil {
		return
	}
	w.Reset(nil, sstable.WriterOptions{})
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < mostWriters {
		p.free = append(p.free, w)
	}
}

// Bytes returns how many bytes the writers hold: those that are kept, and about those at
// work.
func (p *Writers) Bytes() (kept, used int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keptLocked(), p.used.Load()
}

func (p *Writers) keptLocked() (sum int64) {
	for _, w := range p.free {
		sum += w.MemoryBytes()
	}
	return sum
}

// Drop forgets the writers that are kept, and returns how many bytes they held.
func (p *Writers) Drop() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	dropped := p.keptLocked()
	p.free = nil
	return dropped
}

// count notes that the writer holds now bytes.
func (o *output) count(now int64) {
	if p := o.env.Writers; p != nil {
		p.used.Add(now - o.counted)
		o.counted = now
	}
}

// release gives the writer back. Nothing more is written.
func (o *output) release() {
	if o.w != nil {
		o.count(0)
		o.env.Writers.give(o.w)
		o.w = nil
	}
}

// lookEvery is how much is added to a table before its size is looked at again,
// as a share of the size aimed at.
const lookEvery = 64

// newKey says that records of another key follow.
func (o *output) newKey() { o.again = false }

// add appends a record.
func (o *output) add(e *iterator.Entry) error {
	if o.again {
		o.shadowed++
	} else if o.table != nil && o.full(e.Key) {
		if err := o.finish(e.Key); err != nil {
			return err
		}
	}
	o.again = true
	if o.table == nil {
		if err := o.open(); err != nil {
			return err
		}
	}
	o.grown += int64(len(e.Key) + len(e.Value) + 16)
	return o.w.Add(e)
}

// full reports whether the table should end before key: it has its size or
// enough keys, or a guard lies before key and it is no crumb.
func (o *output) full(key []byte) bool {
	if o.grown*lookEvery >= o.job.TableSize {
		o.size, o.grown = o.w.Size(), 0
		o.count(o.w.MemoryBytes())
	}
	return o.passes(key) && o.size*leastTable >= o.job.TableSize || o.size >= o.job.TableSize || o.w.Keys() >= mostKeys
}

// mostKeys is how many keys a table has at most, however small they are: the
// writer holds a hash of each until the filter is made.
const mostKeys = 1 << 19

// passes moves the guard cursor behind key and reports whether it met a guard.
func (o *output) passes(key []byte) bool {
	before := o.guard
	for o.guard < len(o.job.Guards) && bytes.Compare(o.job.Guards[o.guard], key) <= 0 {
		o.guard++
	}
	return o.guard > before
}

func (o *output) open() error {
	n, err := o.env.NewTable()
	if err != nil {
		return err
	}
	o.started = append(o.started, n.Num)
	o.sink = n.Sink
	opts := o.job.Writer
	opts.ID = n.ID
	if o.w == nil {
		o.w = o.env.Writers.take()
	}
	o.w.Reset(n.Sink, opts)
	o.count(o.w.MemoryBytes())
	o.table = &manifest.Table{Num: n.Num, Level: o.job.Level, Run: o.job.Age}
	o.size, o.grown, o.shadowed = 0, 0, 0
	return nil
}

// finish ends the table before the key end; nil: there is no further table.
func (o *output) finish(end []byte) error {
	for _, t := range o.clip(end) {
		if err := o.w.AddRangeDelete(t); err != nil {
			return err
		}
	}
	props, err := o.w.Finish()
	if err != nil {
		return err
	}
	if err := o.sink.Sync(); err != nil {
		return err
	}
	sink := o.sink
	o.sink = nil
	if err := sink.Close(); err != nil {
		return err
	}
	props.Shadowed = o.shadowed
	o.table.TableProperties = props
	o.records += props.Records()
	o.done = append(o.done, o.table)
	o.table = nil
	return nil
}

// clip takes the range tombstones of the table that ends before the key end, in
// the order tables want them; nil: there is no further table.
func (o *output) clip(end []byte) []rangedel.Tombstone {
	n := len(o.deletes)
	if end != nil {
		end = bytes.Clone(end)
		n, _ = slices.BinarySearchFunc(o.deletes, end, func(t rangedel.Tombstone, end []byte) int { return bytes.Compare(t.Start, end) })
	}
	ts := append(o.cut, o.deletes[:n]...)
	o.deletes, o.cut = o.deletes[n:], nil
	slices.SortFunc(ts, rangedel.Compare)
	for i := range ts {
		if t := &ts[i]; end != nil && bytes.Compare(t.End, end) > 0 {
			o.cut = append(o.cut, rangedel.Tombstone{Start: end, End: t.End, Seq: t.Seq})
			t.End = end
		}
	}
	return ts
}

// close ends the last table. Range tombstones that no table has taken get one
// of their own.
func (o *output) close() error {
	if o.table == nil {
		if len(o.cut)+len(o.deletes) == 0 {
			return nil
		}
		if err := o.open(); err != nil {
			return err
		}
	}
	return o.finish(nil)
}

// abandon closes the sink that is open, for what it is worth.
func (o *output) abandon(err error) error {
	if o.sink == nil {
		return err
	}
	sink := o.sink
	o.sink = nil
	if cerr := sink.Close(); cerr != nil {
		return fmt.Errorf("%w; and closing the unfinished table: %v", err, cerr)
	}
	return err
}
