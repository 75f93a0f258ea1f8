package typed

import (
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// ranks is a counted tree over the score order of a sorted set, which finds a
// position without a walk from either end. Its nodes are bucket rows: one of
// level 1 covers a stretch of the order, from its boundary to the boundary of the
// next one, and says how many rows that has; one of level n covers a stretch of
// level n−1. It is part of the metadata's Body:
//
//	+----------+------------+-------------+
//	| form 1 B | levels 1 B | top uvarint |     empty: not counted
//	+----------+------------+-------------+
//
//	02·id·bucket·level(1)·boundary → members uvarint [· children uvarint]
//
// A boundary is a prefix of a key of the order: the first one of a level is empty,
// so that every key has a bucket, and every node of a level above 1 has the
// boundary of its first child. Members that are due count until they are purged.
type ranks struct {
	levels uint8  // 0: not counted
	top    uint64 // nodes of the highest level
}

const (
	ranksForm     = 1
	ranksLen      = 1 + 1 + binary.MaxVarintLen64
	maxRankLevels = 16 // at 16 children a node more than a set can have members
)

var (
	errRanks  = errors.New("form of the counted order is malformed")
	errBucket = errors.New("buckets and members contradict each other")
)

// rankShape says when an order is counted and how large its nodes get.
type rankShape struct {
	build, drop uint64 // count above that, stop below this many members
	bucket, fan uint64 // members of a bucket, children of a node: at most
	near        int64  // rows that a walk passes at the cost of a look-up
}

// shape: a set of fewer members is walked as fast as counted. Bucket and fan are
// about what costs a look-up as much as the step to another level.
var shape = rankShape{build: 256, drop: 64, bucket: 192, fan: 96, near: 128}

func (r ranks) append(dst []byte) []byte {
	if r.levels == 0 {
		return dst
	}
	return binary.AppendUvarint(append(dst, ranksForm, r.levels), r.top)
}

func decodeRanks(body []byte) (r ranks, err error) {
	if len(body) == 0 {
		return r, nil
	}
	if body[0] != ranksForm {
		return r, base.ErrFormatTooNew
	}
	if len(body) < 3 || body[1] == 0 || body[1] > maxRankLevels {
		return r, errRanks
	}
	top, n := binary.Uvarint(body[2:])
	if n != len(body)-2 || top == 0 {
		return r, errRanks
	}
	return ranks{body[1], top}, nil
}

// rankNode is a node as it was read.
type rankNode struct {
	members  uint64
	children uint64 // of level 1: members
}

func appendRankNode(dst []byte, level uint8, n rankNode) []byte {
	dst = binary.AppendUvarint(dst, n.members)
	if level > 1 {
		dst = binary.AppendUvarint(dst, n.children)
	}
	return dst
}

func decodeRankNode(value []byte, level uint8) (n rankNode, ok bool) {
	if level == 0 {
		return rankNode{1, 1}, true
	}
	v, i := binary.Uvarint(value)
	if i <= 0 || v > 1<<62 {
		return n, false
	}
	n.members, n.children = v, v
	if value = value[i:]; level > 1 {
		if n.children, i = binary.Uvarint(value); i <= 0 || n.children == 0 {
			return n, false
		}
		value = value[i:]
	}
	return n, len(value) == 0
}

// appendLevel appends the start of the rows of a level of the tree; level 0 is
// the order itself.
func (c *collection) appendLevel(dst []byte, t Txn, level uint8) []byte {
	if level == 0 {
		return keyenc.AppendElementRow(dst, t.Prefix(), c.meta.ID, keyenc.TagScore, "")
	}
	return append(keyenc.AppendElementRow(dst, t.Prefix(), c.meta.ID, keyenc.TagBucket, ""), level)
}

// levelLen returns how many bytes of a row of the level stand before its key.
func levelLen(t Txn, level uint8) int {
	n := keyenc.CollectionHeaderLen(t.Prefix())
	if level > 0 {
		n++
	}
	return n
}

// scanLevel walks the rows of a level from the key from on and, if to is not nil,
// up to the key to itself.
func (c *collection) scanLevel(t Txn, level uint8, from, to []byte, reverse bool) (Cursor, error) {
	sc := t.Scratch()
	head := c.appendLevel(sc.lo[:0], t, level)
	if to == nil {
		sc.hi = appendSuccessor(sc.hi[:0], head)
	} else {
		sc.hi = append(append(append(sc.hi[:0], head...), to...), 0)
	}
	sc.lo = append(head, from...)
	return t.Scan(sc.lo, sc.hi, ScanOptions{Reverse: reverse, KeysOnly: level == 0})
}

// rankNodeAt decodes the node of the level the cursor is on.
func (c *collection) rankNodeAt(cur Cursor, level uint8) (rankNode, error) {
	n, ok := decodeRankNode(cur.Value(), level)
	if !ok {
		return n, corrupt(c.name, errBucket)
	}
	return n, nil
}

// floor returns the node of the level that covers the key; its row key is in
// scratch.
func (c *collection) floor(t Txn, level uint8, key []byte) (n rankNode, err error) {
	cur, err := c.scanLevel(t, level, nil, key, true)
	if err != nil {
		return n, err
	}
	defer cur.Close()
	if !cur.Next() {
		if err = cur.Err(); err == nil {
			err = corrupt(c.name, errBucket)
		}
		return n, err
	}
	sc := t.Scratch()
	sc.row = append(sc.row[:0], cur.Key()...)
	return c.rankNodeAt(cur, level)
}

// putRankNode writes the node of the row in scratch.
func (c *collection) putRankNode(t Txn, level uint8, n rankNode) error {
	sc := t.Scratch()
	sc.out = appendRankNode(sc.out[:0], level, n)
	return t.Put(sc.row, record.TypeNone, 0, sc.out)
}

// recount says that by members came into the bucket of key, or left it if that is
// negative; their rows are already written. Cost: a search and a write per level.
func (c *collection) recount(t Txn, key []byte, by int64) error {
	fits := true
	for level := uint8(1); level <= c.ranks.levels; level++ {
		n, err := c.floor(t, level, key)
		if err != nil {
			return err
		}
		ok, err := c.addToNode(t, level, n, by)
		if err != nil {
			return err
		}
		fits = fits && ok
	}
	if fits {
		return nil
	}
	return c.reshape(t, key)
}

// addToNode adds by to the members of the node whose row is in scratch, and
// reports whether its size is still right; only that of a bucket depends on it.
func (c *collection) addToNode(t Txn, level uint8, n rankNode, by int64) (fits bool, err error) {
	if n.members += uint64(by); n.members > 1<<62 {
		return false, corrupt(c.name, errBucket)
	}
	if level > 1 {
		return true, c.putRankNode(t, level, n)
	}
	// A bucket that found nobody to merge with asks again now and then.
	small := n.members < shape.bucket/4 && (by < -1 || n.members%16 == 0)
	return n.members <= shape.bucket && !small, c.putRankNode(t, level, n)
}

// recountMove says that a member went from one key of the order to another. From
// the level on where both have the same node nothing changes.
func (c *collection) recountMove(t Txn, from, to []byte) error {
	fromFits, toFits := true, true
	for level := uint8(1); level <= c.ranks.levels; level++ {
		left, err := c.floor(t, level, from)
		if err != nil {
			return err
		}
		sc := t.Scratch()
		sc.out = append(sc.out[:0], sc.row...)
		entered, err := c.floor(t, level, to)
		if err != nil {
			return err
		}
		if string(sc.out) == string(sc.row) {
			break
		}
		sc.val = append(sc.val[:0], sc.out...) // the row that was left
		ok, err := c.addToNode(t, level, entered, 1)
		if err != nil {
			return err
		}
		toFits = toFits && ok
		sc.row, sc.val = append(sc.row[:0], sc.val...), sc.val[:0]
		if ok, err = c.addToNode(t, level, left, -1); err != nil {
			return err
		}
		fromFits = fromFits && ok
	}
	if !fromFits {
		if err := c.reshape(t, from); err != nil {
			return err
		}
	}
	if !toFits {
		return c.reshape(t, to)
	}
	return nil
}

// rankOf returns how many rows of the order stand before key, which need not be
// there. Cost: at most a node's children per level and a bucket.
func (c *collection) rankOf(t Txn, key []byte) (rank uint64, err error) {
	var from []byte // boundary of the node that covers key
	for level := int(c.ranks.levels); level >= 0; level-- {
		cur, err := c.scanLevel(t, uint8(level), from, key, false)
		if err != nil {
			return 0, err
		}
		head, last := levelLen(t, uint8(level)), uint64(0)
		for cur.Next() {
			if level == 0 {
				if string(cur.Key()[head:]) == string(key) {
					break
				}
				rank++
				continue
			}
			n, err := c.rankNodeAt(cur, uint8(level))
			if err != nil {
				cur.Close()
				return 0, err
			}
			rank += last
			last = n.members
			from = append(from[:0], cur.Key()[head:]...)
		}
		if err := firstError(cur.Err(), cur.Close()); err != nil {
			return 0, err
		}
	}
	return rank, nil
}

// rankedAt returns the row of the order with so many before it; it is in scratch.
// The cost is that of rankOf.
func (c *collection) rankedAt(t Txn, rank uint64) ([]byte, error) {
	sc := t.Scratch()
	var from []byte
	for level := int(c.ranks.levels); level >= 0; level-- {
		cur, err := c.scanLevel(t, uint8(level), from, nil, false)
		if err != nil {
			return nil, err
		}
		found := false
		for !found && cur.Next() {
			n, err := c.rankNodeAt(cur, uint8(level))
			if err != nil {
				cur.Close()
				return nil, err
			}
			if found = rank < n.members; !found {
				rank -= n.members
			}
		}
		if found {
			sc.row = append(sc.row[:0], cur.Key()...)
			from = append(from[:0], sc.row[levelLen(t, uint8(level)):]...)
		}
		if err := firstError(cur.Err(), cur.Close()); err != nil {
			return nil, err
		}
		if !found {
			return nil, corrupt(c.name, errBucket)
		}
	}
	return sc.row, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
