package memtable

import (
	"bytes"
	"math"
	"math/rand"

	"github.com/huandu/skiplist"

	"github.com/siltstonedb/siltstone/internal/base"
)

// A fence is the key of a branch in the skiplist: the lowest key its leaves may
// hold. Pointers to fences are what the skiplist holds and is asked for, so that
// passing one through an interface allocates nothing. All dealings with the
// skiplist package but the searches themselves are in this file.
type fence struct {
	key    []byte
	branch *branch // nil in a probe
}

// maxLevel bounds the height of the skiplist's towers; with a quarter of the
// elements reaching the next level, that is good for as many branches as the arena
// can feed.
const maxLevel = 10

// newFenceList returns an empty skiplist of fences whose scores leave out the
// given common prefix.
func newFenceList(prefix []byte, c *coin) *skiplist.SkipList {
	list := skiplist.New(fenceOrder{prefix})
	list.SetMaxLevel(maxLevel)
	list.SetRandSource(c)
	return list
}

// fenceOrder orders fences bytewise. The skiplist compares scores first and asks
// Compare only where they are equal, so a score may never contradict Compare and
// is never NaN.
type fenceOrder struct{ prefix []byte }

// Compare orders the keys of two fences.
func (fenceOrder) Compare(lhs, rhs any) int {
	return bytes.Compare(lhs.(*fence).key, rhs.(*fence).key)
}

// CalcScore returns a number that rises with the eight bytes behind the prefix.
// Fences that do not have the prefix lie on one side of all that have.
func (o fenceOrder) CalcScore(key any) float64 {
	k := key.(*fence).key
	if !bytes.HasPrefix(k, o.prefix) {
		if bytes.Compare(k, o.prefix) < 0 {
			return math.Inf(-1)
		}
		return math.Inf(1)
	}
	return ordered(base.Prefix8(k, len(o.prefix)))
}

// ordered maps numbers to finite floats in the same order: the upper half to the
// positive floats by their bit pattern, the lower half mirrored. The very
// largest on either side share one float, and so do the two in the middle.
func ordered(u uint64) float64 {
	const largest = 0x7FEFFFFFFFFFFFFF // bits of math.MaxFloat64
	if u >= 1<<63 {
		return math.Float64frombits(min(u-1<<63, largest))
	}
	return -math.Float64frombits(min(1<<63-1-u, largest))
}

// coin is a rand.Source that lets a quarter of the skiplist's elements grow a
// level, where the skiplist alone would let half of them: it grows a tower while
// the top bit of a number is set, and here that is two random bits together.
type coin uint64

var _ rand.Source = (*coin)(nil)

// Int63 returns the next number (xorshift).
func (c *coin) Int63() int64 {
	x := uint64(*c)
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*c = coin(x)
	return int64((x & (x << 1)) >> 1)
}

// Seed starts the sequence over at the given place.
func (c *coin) Seed(seed int64) { *c = coin(seed) | 1 }
