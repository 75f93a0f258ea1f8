package rangedel

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Run is the lists of a run's tables, in key order: each ends before the next one
// begins. None is empty. It is searched as it is, since joining the lists would
// cost all their tombstones whenever one table comes or goes.
type Run []*List

// At is List.At over all the lists.
func (r Run) At(key []byte, limit base.SeqNum) (seq base.SeqNum, below, above []byte) {
	lo, hi := 0, len(r)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if bytes.Compare(r[m].end(), key) <= 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(r) && bytes.Compare(r[lo].start(), key) <= 0 {
		return r[lo].At(key, limit)
	}
	if lo > 0 {
		below = r[lo-1].end()
	}
	if lo < len(r) {
		above = r[lo].start()
	}
	return 0, below, above
}

func (l *List) start() []byte { return l.newest[0].Start }

func (l *List) end() []byte { return l.newest[len(l.newest)-1].End }
