package compaction

import (
	"fmt"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
)

// Kind says how a compaction is carried out.
type Kind uint8

const (
	KindMerge Kind = iota + 1 // read the inputs, write outputs
	KindMove                  // change the inputs' place; nothing is read
	KindDrop                  // remove the inputs; nothing is read
	KindFlush                 // a memtable's way to tables; only to stand among the running ones
)

func (k Kind) String() string {
	switch k {
	case KindMerge:
		return "merge"
	case KindMove:
		return "move"
	case KindDrop:
		return "drop"
	case KindFlush:
		return "flush"
	}
	return "nothing"
}

// Reason is why a compaction was picked.
type Reason uint8

const (
	ReasonFlushRuns    Reason = iota + 1 // too many flush runs
	ReasonTierRuns                       // too many runs in a tier
	ReasonReads                          // readers meet too many runs
	ReasonNoOverlap                      // nothing older is in the way
	ReasonAllExpired                     // every record has expired and hides nothing
	ReasonRangeDeleted                   // a newer range tombstone covers the whole table
	ReasonTombstones                     // tombstones hold back space
	ReasonExpired                        // expired records hold back space
	ReasonShadowed                       // versions nobody sees hold back space
	ReasonIdle                           // young data, and time to settle it
	ReasonSmallTables                    // neighbours that would fit one table
	ReasonManual                         // asked for
	ReasonFlush                          // a memtable is full
)

var reasons = [...]string{
	ReasonFlushRuns: "flush runs", ReasonTierRuns: "tier runs", ReasonReads: "reads", ReasonNoOverlap: "no overlap",
	ReasonAllExpired: "all expired", ReasonRangeDeleted: "range deleted", ReasonTombstones: "tombstones", ReasonExpired: "expired",
	ReasonShadowed: "shadowed", ReasonIdle: "idle", ReasonSmallTables: "small tables", ReasonManual: "manual", ReasonFlush: "flush",
}

func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return "unknown"
}

// RunInput is what a compaction takes of one run: tables in key order.
type RunInput struct {
	Age    uint64
	Level  uint8
	Tables []*manifest.Table
}

// Compaction is a decision. It is immutable; its tables belong to the version it
// was picked from.
type Compaction struct {
	Kind   Kind
	Reason Reason
	Inputs []RunInput // newest first
	Level  uint8      // of the outputs, of moved tables
	Age    uint64     // of the run they become part of; the run may be new
	Span   Span       // that holds every input and every output
}

// Takes reports whether a table is among the inputs.
func (c *Compaction) Takes(num base.FileNum) bool {
	for _, in := range c.Inputs {
		for _, t := range in.Tables {
			if t.Num == num {
				return true
			}
		}
	}
	return false
}

// Within reports whether all inputs are among the listed tables.
func (c *Compaction) Within(listed map[base.FileNum]bool) bool {
	for _, in := range c.Inputs {
		for _, t := range in.Tables {
			if !listed[t.Num] {
				return false
			}
		}
	}
	return true
}

// SameInputs reports whether c and d take the same tables.
func (c *Compaction) SameInputs(d *Compaction) bool {
	return slices.EqualFunc(c.Inputs, d.Inputs, func(a, b RunInput) bool {
		return slices.EqualFunc(a.Tables, b.Tables, func(t, u *manifest.Table) bool { return t.Num == u.Num })
	})
}

// Bytes returns the size of all inputs.
func (c *Compaction) Bytes() (n uint64) {
	for _, in := range c.Inputs {
		n += bytesOf(in.Tables)
	}
	return n
}

// String says what is done and why: "merge 12,13@9 + 4@0 → L6@0 [a, m]: flush
// runs". Numbers before @ are tables, behind it the age of their run.
func (c *Compaction) String() string {
	if c == nil {
		return "nothing"
	}
	var b strings.Builder
	b.WriteString(c.Kind.String())
	for i, in := range c.Inputs {
		if i > 0 {
			b.WriteString(" +")
		}
		for j, t := range in.Tables {
			b.WriteByte(" ,"[min(j, 1)])
			fmt.Fprint(&b, uint64(t.Num))
		}
		fmt.Fprintf(&b, "@%d", in.Age)
	}
	if c.Kind != KindDrop {
		fmt.Fprintf(&b, " → L%d@%d", c.Level, c.Age)
	}
	fmt.Fprintf(&b, " %v: %v", c.Span, c.Reason)
	return b.String()
}

const (
	lastLevel = manifest.LastLevel
	// lastAge is the age of the last level's run: below that of every other.
	lastAge = 0
)

// lastRun returns the run of the last level, if there is one.
func lastRun(v *manifest.Version) (manifest.Run, bool) {
	if n := len(v.Runs); n > 0 && v.Runs[n-1].Level == manifest.LastLevel {
		return v.Runs[n-1], true
	}
	return manifest.Run{}, false
}

// KeyRange is a range of row keys, [Lo, Hi); a nil Hi is the end of all keys.
type KeyRange struct{ Lo, Hi []byte }

func (r KeyRange) span() Span { return Span{Lo: r.Lo, Hi: r.Hi, Exclusive: true} }

// Input is all that Pick knows beside the version.
type Input struct {
	Config Config
	Now    int64 // of the store clock, milliseconds since 1970
	// The oldest registered read point's sequence and the smallest clock of any:
	// base.SeqMax and Now if none is registered. Readers that register later are
	// beyond both.
	OldestReadSeq   base.SeqNum
	OldestReadClock int64

	Busy   []*Compaction // running, flushes included
	Idle   bool          // the store has had nothing to do for a while
	Manual *KeyRange     // to be brought down to the last level, without garbage

	// Frozen are tables that cannot be read: they stay where they are, and what lies
	// above them with them.
	Frozen map[base.FileNum]bool
	// TooLarge are merges that the disk had no room for: none with the same inputs is
	// picked.
	TooLarge []*Compaction

	// ReadCredit is how many bytes could have been merged in the time that range
	// reads have lost to there being many runs. Who carries out a compaction that
	// has ReasonReads takes its bytes off.
	ReadCredit uint64

	// RangeDeletes returns a table's range tombstones if they are in memory, else
	// nil. It must not do I/O. May be nil.
	RangeDeletes func(*manifest.Table) *rangedel.List
	// Bytes returns about how many bytes of a table lie in [lo, hi), if its index
	// is in memory. It must not do I/O. May be nil.
	Bytes func(t *manifest.Table, lo, hi []byte) (n uint64, known bool)
}
