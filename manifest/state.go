package manifest

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
)

// State is what all edits so far add up to. It is immutable and safe for
// concurrent use: Apply makes a new one that shares what did not change.
type State struct {
	FormatVersion uint32 // of the files; see FormatVersion
	DBID          uint64
	Parent        uint64      // store this one is a checkpoint of; 0: none
	Branch        base.SeqNum // all sequences up to it are of the parent's history; 0 if there is none; SeqMax of a replica

	Version *Version
	// These never fall, see Edit.
	MinLog        base.FileNum
	LastSeq       base.SeqNum
	Clock         int64
	FileLimit     base.FileNum
	IDLimit       uint64
	KeyspaceLimit uint32

	Nominated []IDRange // sorted by keyspace and id; neither overlapping nor adjacent
	Clean     bool
}

// NewState returns the state of a new, empty store.
func NewState(dbID uint64) *State {
	return &State{FormatVersion: FormatVersion, DBID: dbID, Version: &Version{}}
}

var (
	errIDRange = errors.New("range of ids is empty")
	errLastSeq = errors.New("last sequence is out of range")
	errClock   = errors.New("clock is before 1970")
)

// Apply returns the state after e; s stays as it is. Numbers, limits and the
// clock only ever rise: a lower one in e changes nothing. Of ids both nominated
// and settled by e the settlement holds. It fails if Version.Apply does, or if
// e contradicts itself.
func (s *State) Apply(e *Edit) (*State, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	v, err := s.Version.Apply(e)
	if err != nil {
		return nil, err
	}
	next := *s
	next.Version = v
	next.MinLog = max(s.MinLog, e.MinLog)
	next.LastSeq = max(s.LastSeq, e.LastSeq)
	next.Clock = max(s.Clock, e.Clock)
	next.FileLimit = max(s.FileLimit, e.FileLimit)
	next.IDLimit = max(s.IDLimit, e.IDLimit)
	next.KeyspaceLimit = max(s.KeyspaceLimit, e.KeyspaceLimit)
	next.Clean = e.Clean
	if len(e.Nominated) > 0 {
		next.Nominated = joinRanges(next.Nominated, e.Nominated)
	}
	if len(e.Settled) > 0 {
		next.Nominated = subtractRanges(next.Nominated, e.Settled)
	}
	return &next, nil
}

// Snapshot returns the edit that leads from the empty state to s. It shares
// memory with s.
func (s *State) Snapshot() *Edit {
	return &Edit{
		Added: s.Version.AllTables(), MinLog: s.MinLog, LastSeq: s.LastSeq, Clock: s.Clock,
		FileLimit: s.FileLimit, IDLimit: s.IDLimit, KeyspaceLimit: s.KeyspaceLimit,
		Nominated: s.Nominated, Clean: s.Clean,
	}
}

func (e *Edit) check() error {
	for _, list := range [][]IDRange{e.Nominated, e.Settled} {
		for _, r := range list {
			if r.First > r.Last {
				return errIDRange
			}
		}
	}
	switch {
	case e.LastSeq > base.SeqMax:
		return errLastSeq
	case e.Clock < 0:
		return errClock
	}
	return nil
}

// compareRanges orders ranges by keyspace and first id.
func compareRanges(a, b IDRange) int {
	return cmp.Or(cmp.Compare(a.Keyspace, b.Keyspace), cmp.Compare(a.First, b.First))
}

// joinRanges returns the union of a and b, sorted and with neighbours joined.
func joinRanges(a, b []IDRange) []IDRange {
	all := slices.Concat(a, b)
	slices.SortFunc(all, compareRanges)
	out := all[:0]
	for _, r := range all {
		if n := len(out); n > 0 && out[n-1].Keyspace == r.Keyspace &&
			(out[n-1].Last == math.MaxUint64 || r.First <= out[n-1].Last+1) {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// SubtractRanges returns what is in a and not in b, sorted and with neighbours
// joined.
func SubtractRanges(a, b []IDRange) []IDRange { return subtractRanges(joinRanges(nil, a), b) }

// subtractRanges returns what is in a and not in b. a is sorted and joined, and
// so is the result.
func subtractRanges(a, b []IDRange) []IDRange {
	b = joinRanges(nil, b)
	var out []IDRange
	for _, r := range a {
		for len(b) > 0 && (b[0].Keyspace < r.Keyspace || b[0].Keyspace == r.Keyspace && b[0].Last < r.First) {
			b = b[1:]
		}
		gone := false
		for _, cut := range b {
			if cut.Keyspace != r.Keyspace || cut.First > r.Last {
				break
			}
			if cut.First > r.First {
				out = append(out, IDRange{Keyspace: r.Keyspace, First: r.First, Last: cut.First - 1})
			}
			if cut.Last >= r.Last {
				gone = true
				break
			}
			r.First = cut.Last + 1
		}
		if !gone {
			out = append(out, r)
		}
	}
	return out
}
