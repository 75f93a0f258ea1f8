package compaction

import (
	"bytes"
	"slices"

	"github.com/siltstonedb/siltstone/manifest"
)

// Older tells where data may lie that is older than a merge's output: in the
// runs behind the output's place, in older memtables, in the outputs of other
// merges. It is what keeps a tombstone alive (whatever level the older run is
// on), and it errs on the side of "there may be".
//
// The tables of the version that was pinned with the inputs suffice for what
// other merges do meanwhile: what they write comes from tables of that version,
// and what arrives later is newer. A nil *Older says that nothing is older.
//
// Add everything before the first question. Keys must be asked for in rising
// order to be cheap, which is the order of a merge. An Older is not safe for
// concurrent use.
type Older struct {
	spans []Span // once sorted: disjoint, ascending
	ready bool
	at    int // first span that does not end before the last key asked for
}

// NewOlder returns what is older than the outputs of c: all tables of the runs
// behind the oldest of its inputs. v is the version c was picked from or
// a later one that still has the inputs.
func NewOlder(v *manifest.Version, c *Compaction) *Older {
	o := &Older{}
	age := c.Age
	for _, in := range c.Inputs {
		age = min(age, in.Age)
	}
	for _, r := range v.Runs {
		if r.Age < age {
			o.AddTables(r.Tables)
		}
	}
	return o
}

// AddTables adds the tables of one run.
func (o *Older) AddTables(tables []*manifest.Table) {
	for _, t := range tables {
		o.Add(TableSpan(t))
	}
}

// Add adds a span, say of an older memtable that is not flushed yet. The span's
// bytes must stay as they are.
func (o *Older) Add(s Span) {
	o.spans = append(o.spans, s)
	o.ready = false
}

// prepare sorts the spans and joins those that overlap.
func (o *Older) prepare() {
	slices.SortFunc(o.spans, func(a, b Span) int { return bytes.Compare(a.Lo, b.Lo) })
	joined := o.spans[:0]
	for _, s := range o.spans {
		if n := len(joined); n > 0 && !joined[n-1].endsBefore(s.Lo) {
			joined[n-1] = joined[n-1].join(s)
		} else {
			joined = append(joined, s)
		}
	}
	o.spans, o.at, o.ready = joined, 0, true
}

// MayHave reports whether anything older may have a record of key or a range
// tombstone over it.
func (o *Older) MayHave(key []byte) bool {
	if o == nil || len(o.spans) == 0 {
		return false
	}
	if !o.ready {
		o.prepare()
	}
	for o.at > 0 && !o.spans[o.at-1].endsBefore(key) {
		o.at--
	}
	for o.at < len(o.spans) && o.spans[o.at].endsBefore(key) {
		o.at++
	}
	return o.at < len(o.spans) && bytes.Compare(o.spans[o.at].Lo, key) <= 0
}

// Overlaps reports whether anything older may have a record or a range tombstone
// in s.
func (o *Older) Overlaps(s Span) bool {
	if o == nil || len(o.spans) == 0 {
		return false
	}
	if !o.ready {
		o.prepare()
	}
	i, _ := slices.BinarySearchFunc(o.spans, s.Lo, func(t Span, key []byte) int {
		if t.endsBefore(key) {
			return -1
		}
		return 1
	})
	return i < len(o.spans) && !s.endsBefore(o.spans[i].Lo)
}
