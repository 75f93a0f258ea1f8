package memtable

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
)

// A runRecord is one record of a run that is to be sorted.
type runRecord struct {
	prefix uint64 // 8 bytes of the key behind those that its neighbours share
	node   uint32
	tag    uint32 // of the hash index
}

func setPrefixes(a *arena, run []runRecord, skip int) {
	for i := range run {
		run[i].prefix = base.Prefix8(a.key(run[i].node), skip)
	}
}

// shortRun is the longest run that is sorted by comparing its records.
const shortRun = 24

// sortRun sorts records by their keys, and those of one key as they came. All
// keys share the first skip bytes, and the prefixes begin behind them.
//
// It takes keys apart by one byte at a time, from the front, which needs the
// prefixes alone: of random keys the first two bytes leave next to nothing to
// compare. Where prefixes are equal the records share more bytes than they were
// known to, and are sorted by what comes behind.
func sortRun(a *arena, run []runRecord, skip int) {
	s := runSorter{a: a, other: make([]runRecord, len(run))}
	s.sort(run, skip)
}

type runSorter struct {
	a     *arena
	other []runRecord // as long as the whole run
}

func (s *runSorter) sort(run []runRecord, skip int) {
	if len(run) <= shortRun {
		s.insertion(run)
		return
	}
	var differ uint64
	for i := range run {
		differ |= run[i].prefix ^ run[0].prefix
	}
	if differ == 0 {
		s.equal(run, skip)
		return
	}
	shift := uint(56 - bits.LeadingZeros64(differ)/8*8)
	var ends [256]int
	for i := range run {
		ends[byte(run[i].prefix>>shift)]++
	}
	sum := 0
	for i, n := range ends {
		ends[i] = sum // where the byte's records begin; moves up to their end
		sum += n
	}
	other := s.other[:len(run)]
	for _, r := range run {
		at := &ends[byte(r.prefix>>shift)]
		other[*at] = r
		*at++
	}
	copy(run, other)
	begin := 0
	for _, end := range ends {
		if end-begin > 1 {
			s.sort(run[begin:end], skip)
		}
		begin = end
	}
}

// insertion sorts a short run.
func (s *runSorter) insertion(run []runRecord) {
	for i := 1; i < len(run); i++ {
		r, at := run[i], i
		for at > 0 && s.less(&r, &run[at-1]) {
			run[at] = run[at-1]
			at--
		}
		run[at] = r
	}
}

func (s *runSorter) less(x, y *runRecord) bool {
	if x.prefix != y.prefix {
		return x.prefix < y.prefix
	}
	return bytes.Compare(s.a.key(x.node), s.a.key(y.node)) < 0
}

// equal sorts a run whose prefixes are all equal.
func (s *runSorter) equal(run []runRecord, skip int) {
	first := s.a.key(run[0].node)
	shared, same := first, true
	for _, r := range run[1:] {
		key := s.a.key(r.node)
		shared = shared[:base.CommonPrefix(shared, key)]
		same = same && len(key) == len(first)
	}
	switch {
	case same && len(shared) == len(first):
	case len(shared) >= skip+8:
		setPrefixes(s.a, run, len(shared))
		s.sort(run, len(shared))
	default: // some end inside the prefix: "a" and "a\x00"
		slices.SortStableFunc(run, func(x, y runRecord) int {
			return bytes.Compare(s.a.key(x.node), s.a.key(y.node))
		})
	}
}
