package manifest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Table is one table file and its place in the store. It is immutable and safe
// for concurrent use.
type Table struct {
	Num   base.FileNum
	Level uint8  // of its run
	Run   uint64 // number of its run; a higher one holds newer data
	base.TableProperties
}

// EndsBefore reports whether every key of the table lies below key.
func (t *Table) EndsBefore(key []byte) bool {
	c := bytes.Compare(t.Largest, key)
	return c < 0 || c == 0 && t.LargestExclusive
}

// Overlaps reports whether the table may say anything about a key between lo
// and hi. A nil bound is open; hi itself counts unless hiExclusive is set.
func (t *Table) Overlaps(lo, hi []byte, hiExclusive bool) bool {
	return (lo == nil || !t.EndsBefore(lo)) && !t.startsBehind(hi, hiExclusive)
}

// startsBehind reports whether the table begins behind a range that ends at hi.
func (t *Table) startsBehind(hi []byte, exclusive bool) bool {
	if hi == nil {
		return false
	}
	c := bytes.Compare(t.Smallest, hi)
	return c > 0 || c == 0 && exclusive
}

var (
	errTableNumber = errors.New("table without a number or id")
	errTableLevel  = errors.New("table's level does not exist")
	errTableBounds = errors.New("table's bounds are empty or out of order")
	errTableSeqs   = errors.New("table's sequences are out of order")
	errTableExpiry = errors.New("table's expiries are out of order")
)

// check reports whether the record can be true by itself.
func (t *Table) check() error {
	c := bytes.Compare(t.Smallest, t.Largest)
	switch {
	case t.Num == 0 || t.ID == 0:
		return errTableNumber
	case t.Level > LastLevel:
		return errTableLevel
	case len(t.Smallest) == 0, c > 0, c == 0 && t.LargestExclusive,
		len(t.Smallest) > base.MaxRowKeyLen, len(t.Largest) > base.MaxRowKeyLen:
		return errTableBounds
	case t.MinSeq > t.MaxSeq || t.MaxSeq > base.SeqMax:
		return errTableSeqs
	case t.MinExpiry < 0 || t.MinExpiry > t.MaxExpiry:
		return errTableExpiry
	}
	return nil
}

// compareTables orders the tables of a run.
func compareTables(a, b *Table) int {
	return cmp.Or(bytes.Compare(a.Smallest, b.Smallest), cmp.Compare(a.Num, b.Num))
}

// checkRun reports whether tables, sorted, can be one run.
func checkRun(r Run) error {
	for i, t := range r.Tables {
		if t.Level != r.Level {
			return fmt.Errorf("table %d is on level %d, its run %d is on level %d", t.Num, t.Level, r.Age, r.Level)
		}
		if i > 0 && !r.Tables[i-1].EndsBefore(t.Smallest) {
			return fmt.Errorf("tables %d and %d of run %d overlap", r.Tables[i-1].Num, t.Num, r.Age)
		}
	}
	return nil
}
