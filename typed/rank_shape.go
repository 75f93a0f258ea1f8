package typed

import "bytes"

// reshape splits and merges the nodes that cover key, from its bucket upwards, as
// far as they got too large or too small.
func (c *collection) reshape(t Txn, key []byte) error {
	for level := uint8(1); level <= c.ranks.levels; level++ {
		n, err := c.floor(t, level, key)
		if err != nil {
			return err
		}
		boundary := bytes.Clone(t.Scratch().row[levelLen(t, level):])
		most := shape.fan
		if level == 1 {
			most = shape.bucket
		}
		changed := 0
		switch {
		case n.children > most:
			changed, err = 1, c.split(t, level, boundary, n)
		case n.children < most/4 || n.children == 0:
			changed, err = c.merge(t, level, boundary, n, most)
		}
		if err != nil || changed == 0 {
			return err
		}
		if err := c.recountChildren(t, level+1, key, changed); err != nil {
			return err
		}
	}
	return c.fitLevels(t)
}

// recountChildren says that the node of the level that covers key has more
// children, or fewer.
func (c *collection) recountChildren(t Txn, level uint8, key []byte, by int) error {
	if level > c.ranks.levels {
		c.ranks.top += uint64(by)
		return nil
	}
	n, err := c.floor(t, level, key)
	if err != nil {
		return err
	}
	n.children += uint64(by)
	return c.putRankNode(t, level, n)
}

// split cuts a node in two halves of as many children.
func (c *collection) split(t Txn, level uint8, boundary []byte, n rankNode) error {
	half, sep, err := c.firstChildren(t, level-1, boundary, n.children/2)
	if err != nil {
		return err
	}
	if sep == nil || half.members > n.members || half.children >= n.children {
		return corrupt(c.name, errBucket)
	}
	rest := rankNode{n.members - half.members, n.children - half.children}
	if err := c.putRankNodeAt(t, level, boundary, half); err != nil {
		return err
	}
	return c.putRankNodeAt(t, level, sep, rest)
}

func (c *collection) putRankNodeAt(t Txn, level uint8, boundary []byte, n rankNode) error {
	sc := t.Scratch()
	sc.row = append(c.appendLevel(sc.row[:0], t, level), boundary...)
	return c.putRankNode(t, level, n)
}

// firstChildren sums the first children rows of a level from a boundary on, and
// returns the boundary of what comes behind them: nil if nothing does.
func (c *collection) firstChildren(t Txn, level uint8, boundary []byte, children uint64) (sum rankNode, sep []byte, err error) {
	cur, err := c.scanLevel(t, level, boundary, nil, false)
	if err != nil {
		return sum, nil, err
	}
	defer cur.Close()
	head := levelLen(t, level)
	var last []byte
	for cur.Next() {
		if sum.children == children {
			return sum, separator(level, last, cur.Key()[head:]), nil
		}
		n, err := c.rankNodeAt(cur, level)
		if err != nil {
			return sum, nil, err
		}
		sum.members += n.members
		sum.children++
		last = append(last[:0], cur.Key()[head:]...)
	}
	return sum, nil, cur.Err()
}

// separator returns a boundary between two neighbours of a level: above a and at
// most b. Between members, whose names may be long, it is as short as can be.
func separator(level uint8, a, b []byte) []byte {
	if level > 0 {
		return bytes.Clone(b)
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return bytes.Clone(b[:min(i+1, len(b))])
}

// merge joins a node with a neighbour under the same parent if one node can hold
// both; changed is −1 if it did.
func (c *collection) merge(t Txn, level uint8, boundary []byte, n rankNode, most uint64) (changed int, err error) {
	left, right := boundary, []byte(nil)
	other, right, err := c.neighbour(t, level, boundary, false)
	if err != nil {
		return 0, err
	}
	if right == nil || n.children+other.children > most {
		if other, left, err = c.neighbour(t, level, boundary, true); err != nil {
			return 0, err
		}
		if left == nil || n.children+other.children > most {
			return 0, nil
		}
		right = boundary
	}
	sum := rankNode{n.members + other.members, n.children + other.children}
	if err := c.putRankNodeAt(t, level, left, sum); err != nil {
		return 0, err
	}
	sc := t.Scratch()
	sc.row = append(c.appendLevel(sc.row[:0], t, level), right...)
	return -1, t.Delete(sc.row)
}

// neighbour returns the node beside the one with this boundary and its own
// boundary, which is nil if there is none under the same parent.
func (c *collection) neighbour(t Txn, level uint8, boundary []byte, left bool) (n rankNode, at []byte, err error) {
	from, to := boundary, []byte(nil)
	if left {
		from, to = nil, boundary
	}
	cur, err := c.scanLevel(t, level, from, to, left)
	if err != nil {
		return n, nil, err
	}
	defer cur.Close()
	// The first row is the node itself.
	if !cur.Next() || !cur.Next() {
		return n, nil, cur.Err()
	}
	if n, err = c.rankNodeAt(cur, level); err != nil {
		return n, nil, err
	}
	at = append([]byte{}, cur.Key()[levelLen(t, level):]...)
	if level == c.ranks.levels {
		return n, at, nil
	}
	// The right one of two is another parent's if that begins there.
	sc := t.Scratch()
	rightOne := at
	if left {
		rightOne = boundary
	}
	sc.row = append(c.appendLevel(sc.row[:0], t, level+1), rightOne...)
	if begins, err := present(t, sc.row); err != nil || begins {
		return n, nil, err
	}
	return n, at, nil
}

// fitLevels adds a level if the highest has too many nodes, and takes levels of
// one node away.
func (c *collection) fitLevels(t Txn) error {
	for c.ranks.top > shape.fan && c.ranks.levels < maxRankLevels {
		if err := c.addLevel(t); err != nil {
			return err
		}
	}
	for c.ranks.top == 1 && c.ranks.levels > 1 {
		n, err := c.floor(t, c.ranks.levels, nil)
		if err != nil {
			return err
		}
		if err := t.Delete(t.Scratch().row); err != nil {
			return err
		}
		c.ranks = ranks{c.ranks.levels - 1, n.children}
	}
	return nil
}

// addLevel puts a level over the highest one.
func (c *collection) addLevel(t Txn) error {
	level, fill := c.ranks.levels, shape.fan*3/4
	top := uint64(0)
	for boundary := []byte{}; boundary != nil; top++ {
		n, next, err := c.firstChildren(t, level, boundary, fill)
		if err != nil {
			return err
		}
		if err := c.putRankNodeAt(t, level+1, boundary, n); err != nil {
			return err
		}
		boundary = next
	}
	c.ranks = ranks{level + 1, top}
	return nil
}

// fitRanks has the order counted if the set got large, and no more if it got
// small. A large set that a version without counted orders wrote is counted by
// the first call that adds or removes members: a walk of it all, once.
func (c *collection) fitRanks(t Txn) error {
	switch {
	case c.meta.Count == 0:
		return nil // all rows go
	case c.ranks.levels == 0 && c.meta.Count > shape.build:
		return c.buildRanks(t)
	case c.ranks.levels > 0 && c.meta.Count < shape.drop:
		c.ranks = ranks{}
		return c.deleteBuckets(t)
	}
	return nil
}

// buildRanks counts the whole order.
func (c *collection) buildRanks(t Txn) error {
	// A version that does not know buckets may have left some behind.
	if err := c.deleteBuckets(t); err != nil {
		return err
	}
	if err := c.addLevel0(t); err != nil {
		return err
	}
	return c.fitLevels(t)
}

// addLevel0 puts buckets over the order itself, in one walk.
func (c *collection) addLevel0(t Txn) error {
	cur, err := c.scanLevel(t, 0, nil, nil, false)
	if err != nil {
		return err
	}
	defer cur.Close()
	fill, head := shape.bucket*3/4, levelLen(t, 0)
	var last []byte
	boundary, n, top := []byte{}, uint64(0), uint64(0)
	put := func() error {
		top++
		return c.putRankNodeAt(t, 1, boundary, rankNode{n, n})
	}
	for cur.Next() {
		if n == fill {
			if err := put(); err != nil {
				return err
			}
			boundary, n = separator(0, last, cur.Key()[head:]), 0
		}
		n++
		last = append(last[:0], cur.Key()[head:]...)
	}
	if err := firstError(cur.Err(), put()); err != nil {
		return err
	}
	c.ranks = ranks{1, top}
	return nil
}

// deleteBuckets deletes every bucket row.
func (c *collection) deleteBuckets(t Txn) error {
	sc := t.Scratch()
	sc.lo = c.appendLevel(sc.lo[:0], t, 1)
	sc.lo = sc.lo[:len(sc.lo)-1] // all levels
	sc.hi = appendSuccessor(sc.hi[:0], sc.lo)
	cur, err := t.Scan(sc.lo, sc.hi, ScanOptions{KeysOnly: true})
	if err != nil {
		return err
	}
	defer cur.Close()
	for cur.Next() {
		sc.row = append(sc.row[:0], cur.Key()...)
		if err := t.Delete(sc.row); err != nil {
			return err
		}
	}
	return cur.Err()
}
