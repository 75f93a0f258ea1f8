package typedtest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// bucket is a bucket row: a node of the counted order of a sorted set.
type bucket struct {
	boundary          string
	members, children uint64
}

// addBucket notes a bucket row; rest is its key behind the tag.
func (t *tally) addBucket(rest, value []byte) error {
	if len(rest) == 0 || rest[0] == 0 {
		return fmt.Errorf("bucket row %q has no level", rest)
	}
	b := bucket{boundary: string(rest[1:])}
	n := 0
	b.members, n = binary.Uvarint(value)
	if value = value[max(n, 0):]; n > 0 && rest[0] > 1 {
		b.children, n = binary.Uvarint(value)
		value = value[max(n, 0):]
	}
	if n <= 0 || len(value) > 0 {
		return fmt.Errorf("bucket row %q is malformed", rest)
	}
	if t.buckets == nil {
		t.buckets = map[uint8][]bucket{}
	}
	t.buckets[rest[0]] = append(t.buckets[rest[0]], b)
	return nil
}

// counted compares the buckets with the score order and with each other: every
// level counts exactly what lies between its boundaries, and a node above the
// first level begins where a child of it does.
func (t *tally) counted() error {
	body := t.meta.Body
	if len(body) == 0 {
		if len(t.buckets) > 0 {
			return fmt.Errorf("%q has buckets and says it has none", t.row)
		}
		return nil
	}
	top, n := uint64(0), 0
	if len(body) >= 3 {
		top, n = binary.Uvarint(body[2:])
	}
	if n <= 0 || body[0] != 1 || int(body[1]) != len(t.buckets) {
		return fmt.Errorf("%q says %x and has %d levels", t.row, body, len(t.buckets))
	}
	var below []bucket // the level below; of the lowest: the order itself
	for place := range maps.Keys(t.places) {
		below = append(below, bucket{boundary: place, members: 1})
	}
	for level := uint8(1); level <= body[1]; level++ {
		slices.SortFunc(below, func(a, b bucket) int { return compare(a.boundary, b.boundary) })
		if err := t.countedLevel(level, below); err != nil {
			return err
		}
		below = t.buckets[level]
	}
	if uint64(len(below)) != top {
		return fmt.Errorf("%q says %d buckets of level %d and has %d", t.row, top, body[1], len(below))
	}
	return nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// countedLevel compares a level with the one below, which ascends.
func (t *tally) countedLevel(level uint8, below []bucket) error {
	nodes := t.buckets[level]
	slices.SortFunc(nodes, func(a, b bucket) int { return compare(a.boundary, b.boundary) })
	if len(nodes) == 0 || nodes[0].boundary != "" {
		return fmt.Errorf("level %d of %q does not begin at the start", level, t.row)
	}
	for i, node := range nodes {
		members, children := uint64(0), uint64(0)
		begins := level == 1
		for len(below) > 0 && (i == len(nodes)-1 || below[0].boundary < nodes[i+1].boundary) {
			members += below[0].members
			children++
			begins = begins || below[0].boundary == node.boundary
			below = below[1:]
		}
		if members != node.members || level > 1 && children != node.children || !begins {
			return fmt.Errorf("level %d of %q: node %q says %d members, %d children and has %d, %d, begins with one: %v",
				level, t.row, node.boundary, node.members, node.children, members, children, begins)
		}
	}
	return nil
}
