package manifest

import (
	"fmt"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
)

// LastLevel is the level of the oldest run, which is levelled. Flushes make
// runs of level 0; levels 1 to 5 are tiers between.
const LastLevel = 6

// Version is the set of tables that make up the store at one time. It is
// immutable and safe for concurrent use; the zero value is an empty store.
type Version struct {
	// Runs go from newest to oldest: ages fall, levels never do.
	Runs []Run
}

// Run is a sorted sequence of tables that do not overlap. For every key, the
// runs before it in its Version hold only newer records. It is immutable.
type Run struct {
	Age    uint64 // higher is newer; no two runs of a version share one
	Level  uint8
	Tables []*Table // by smallest key; not empty
}

// Overlaps returns the run's tables that may say anything about a key between
// lo and hi: a part of r.Tables. A nil bound is open; hi itself counts unless
// hiExclusive is set. It costs two binary searches.
func (r Run) Overlaps(lo, hi []byte, hiExclusive bool) []*Table {
	first, end := 0, len(r.Tables)
	if lo != nil {
		for n := end; first < n; {
			m := int(uint(first+n) >> 1)
			if r.Tables[m].EndsBefore(lo) {
				first = m + 1
			} else {
				n = m
			}
		}
	}
	if hi != nil {
		for n := first; n < end; {
			m := int(uint(n+end) >> 1)
			if r.Tables[m].startsBehind(hi, hiExclusive) {
				end = m
			} else {
				n = m + 1
			}
		}
	}
	return r.Tables[first:end]
}

// Size returns the bytes of the run's files.
func (r Run) Size() (n uint64) {
	for _, t := range r.Tables {
		n += t.Size
	}
	return n
}

// AllTables returns every table, newest run first. The slice is the caller's.
func (v *Version) AllTables() []*Table {
	n := 0
	for _, r := range v.Runs {
		n += len(r.Tables)
	}
	all := make([]*Table, 0, n)
	for _, r := range v.Runs {
		all = append(all, r.Tables...)
	}
	return all
}

// NewestRun returns the age of the newest run, 0 if there is none. A flush
// makes a run above it.
func (v *Version) NewestRun() uint64 {
	if len(v.Runs) == 0 {
		return 0
	}
	return v.Runs[0].Age
}

// Check reports the first way in which v is no possible version: tables that
// overlap within a run or have impossible properties, levels that fall towards
// older runs, a table or table id listed twice.
func (v *Version) Check() error {
	nums, ids := map[base.FileNum]bool{}, map[uint64]bool{}
	for _, r := range v.Runs {
		for _, t := range r.Tables {
			if err := t.check(); err != nil {
				return fmt.Errorf("table %d: %w", t.Num, err)
			}
			if nums[t.Num] || ids[t.ID] || t.Run != r.Age {
				return fmt.Errorf("table %d is listed twice or in another run than its own", t.Num)
			}
			nums[t.Num], ids[t.ID] = true, true
		}
		if err := checkRun(r); err != nil {
			return err
		}
	}
	return v.checkOrder()
}

func (v *Version) checkOrder() error {
	for i, r := range v.Runs {
		if len(r.Tables) == 0 {
			return fmt.Errorf("run %d is empty", r.Age)
		}
		if i == 0 {
			continue
		}
		newer := v.Runs[i-1]
		if newer.Age <= r.Age || newer.Level > r.Level {
			return fmt.Errorf("run %d of level %d stands before run %d of level %d", newer.Age, newer.Level, r.Age, r.Level)
		}
	}
	return nil
}

// Apply returns the version after e; v stays as it is, and runs that e does not
// touch are shared. A table that e both removes and adds has moved. It fails,
// changing nothing, if e removes a table that is not there, adds one that is,
// or leads to a version that is not possible. It costs one pass over all tables.
func (v *Version) Apply(e *Edit) (*Version, error) {
	if len(e.Added)+len(e.Removed) == 0 {
		return v, nil
	}
	c, err := newChange(e)
	if err != nil {
		return nil, err
	}
	next := &Version{Runs: make([]Run, 0, len(v.Runs)+1)}
	for _, r := range v.Runs {
		if r, err = c.run(r); err != nil {
			return nil, err
		}
		if len(r.Tables) > 0 {
			next.Runs = append(next.Runs, r)
		}
	}
	for n := range c.removed {
		return nil, fmt.Errorf("table %d is removed but not there", n)
	}
	for age, tables := range c.added {
		next.Runs = append(next.Runs, Run{Age: age, Level: tables[0].Level, Tables: tables})
	}
	slices.SortFunc(next.Runs, func(a, b Run) int {
		if a.Age > b.Age {
			return -1
		}
		return 1
	})
	for _, r := range next.Runs {
		if !c.touched[r.Age] {
			continue
		}
		if err := checkRun(r); err != nil {
			return nil, err
		}
	}
	if err := next.checkOrder(); err != nil {
		return nil, err
	}
	return next, nil
}

// change is an edit's tables while it is applied.
type change struct {
	removed map[base.FileNum]bool // not met yet
	added   map[uint64][]*Table   // by run, sorted; those not placed yet
	nums    map[base.FileNum]bool // of the added tables
	ids     map[uint64]bool
	touched map[uint64]bool // runs
}

func newChange(e *Edit) (*change, error) {
	c := &change{
		removed: map[base.FileNum]bool{}, added: map[uint64][]*Table{},
		nums: map[base.FileNum]bool{}, ids: map[uint64]bool{}, touched: map[uint64]bool{},
	}
	for _, n := range e.Removed {
		if c.removed[n] {
			return nil, fmt.Errorf("table %d is removed twice", n)
		}
		c.removed[n] = true
	}
	for _, t := range e.Added {
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("table %d: %w", t.Num, err)
		}
		if c.nums[t.Num] || c.ids[t.ID] {
			return nil, fmt.Errorf("table %d is added twice", t.Num)
		}
		c.nums[t.Num], c.ids[t.ID], c.touched[t.Run] = true, true, true
		c.added[t.Run] = append(c.added[t.Run], t)
	}
	for _, tables := range c.added {
		slices.SortFunc(tables, compareTables)
	}
	return c, nil
}

// run returns r without what is removed and with what is added.
func (c *change) run(r Run) (Run, error) {
	leaves := 0
	for _, t := range r.Tables {
		if c.removed[t.Num] {
			leaves++
		} else if c.nums[t.Num] || c.ids[t.ID] {
			return r, fmt.Errorf("table %d is added but already there", t.Num)
		}
	}
	joins := c.added[r.Age]
	if leaves == 0 && len(joins) == 0 {
		return r, nil
	}
	tables := make([]*Table, 0, len(r.Tables)-leaves+len(joins))
	for _, t := range r.Tables {
		if c.removed[t.Num] {
			delete(c.removed, t.Num)
		} else {
			tables = append(tables, t)
		}
	}
	if len(joins) > 0 {
		level := r.Level
		if len(tables) == 0 {
			level = joins[0].Level
		}
		tables = append(tables, joins...)
		slices.SortFunc(tables, compareTables)
		delete(c.added, r.Age)
		return Run{Age: r.Age, Level: level, Tables: tables}, nil
	}
	return Run{Age: r.Age, Level: r.Level, Tables: tables}, nil
}
