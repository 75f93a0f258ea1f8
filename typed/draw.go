package typed

import (
	"slices"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// maxRepeated bounds the memory that one Random takes.
const maxRepeated = 1 << 24

// A collection of fewer elements is walked: that costs no more than the draws. Of a
// larger one no more than a part is drawn, since a draw costs as much as a few dozen
// rows of a walk.
const (
	drawFrom = 256
	drawPart = 64
)

// draw returns n different elements, or all if there are fewer, or, with n below
// 0, −n elements each drawn from all: every choice is equally likely, and so is
// every order. take makes a result of the element that c is on. It is the one place
// that knows how: it draws rows at random, which needs no positions, and walks if the
// collection is small, much of it is wanted, or much of what it was is dead.
//
// A transaction rests on the metadata that it has opened c by, where the count is, and
// on the rows that it returns, but on none of those that it has passed over. If neither
// has changed by its commit, the results are elements at that point, too, as many as
// were asked for, and that is all that a draw says. Nearly every call by which an
// element comes or goes writes the metadata. The exceptions leave the count as it is: to
// set one that is due and not purged makes it live. A transaction that could not draw
// that one commits all the same, as if chance had left it out.
func draw[T any](t collection.Txn, c *collection.Collection, n int, o collection.ScanOptions, take func(*collection.Elements, *nameArena) T) ([]T, error) {
	if n < -maxRepeated {
		return nil, badCount("count", n)
	}
	if c.InRows() && c.Count() >= drawFrom && uint64(max(n, -n)) <= c.Count()/drawPart {
		drawn, enough, err := drawRows(t, c, n, o, take)
		if err != nil || enough {
			return drawn, err
		}
	}
	count, err := c.Live(t)
	if err != nil || count == 0 {
		return nil, err
	}
	if n < 0 {
		return drawRepeated(t, c, count, -n, o, take)
	}
	if n == 1 || count == 1 {
		return drawRepeated(t, c, count, 1, o, take)
	}
	return drawDistinct(t, c, count, n, o, take)
}

// drawRows draws one row after the other. An element that comes again is left out, if
// they are to be different: what is left is a choice of n in the order of the draws,
// each as likely as any other. It is not enough if the sample ends before; when that
// happens has nothing to do with which elements were drawn.
func drawRows[T any](t collection.Txn, c *collection.Collection, n int, o collection.ScanOptions, take func(*collection.Elements, *nameArena) T) (drawn []T, enough bool, err error) {
	e, err := c.Sample(t, o)
	if err != nil {
		return nil, false, err
	}
	defer e.Close()
	var names nameArena
	var met map[string]struct{}
	drawn = make([]T, 0, max(n, -n))
	for len(drawn) < cap(drawn) {
		if !e.Next() {
			return nil, false, e.Err()
		}
		if n > 1 {
			if _, again := met[string(e.Member())]; again {
				continue
			}
			if met == nil {
				met = make(map[string]struct{}, n)
			}
			met[string(e.Member())] = struct{}{}
		}
		drawn = append(drawn, take(&e, &names))
	}
	return drawn, true, nil
}

// drawDistinct draws by selection sampling: an element is taken with the chance
// (still wanted)/(still to come), which makes every choice of n equally likely in
// one walk and no memory but the result's.
func drawDistinct[T any](t collection.Txn, c *collection.Collection, count uint64, n int, o collection.ScanOptions, take func(*collection.Elements, *nameArena) T) ([]T, error) {
	toCome, wanted := count, min(uint64(n), count)
	var names nameArena
	var drawn []T
	err := c.Each(t, collection.Part{}, o, func(e *collection.Elements) bool {
		if uniform(t, toCome) < wanted {
			drawn = append(drawn, take(e, &names))
			wanted--
		}
		toCome--
		return wanted > 0 && toCome > 0
	})
	if err == nil && wanted > 0 {
		err = c.LostElement()
	}
	for i := len(drawn) - 1; i > 0; i-- {
		j := uniform(t, uint64(i+1))
		drawn[i], drawn[j] = drawn[j], drawn[i]
	}
	return drawn, err
}

// drawRepeated draws positions, sorts them and meets them in one walk from the
// end that is nearer to the farthest.
func drawRepeated[T any](t collection.Txn, c *collection.Collection, count uint64, n int, o collection.ScanOptions, take func(*collection.Elements, *nameArena) T) ([]T, error) {
	type position struct {
		at  uint64 // in the walk
		out int    // in the result
	}
	positions := make([]position, n)
	for i := range positions {
		positions[i] = position{uniform(t, count), i}
	}
	slices.SortFunc(positions, func(a, b position) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	last := count - 1
	if o.Reverse = last-positions[0].at < positions[n-1].at; o.Reverse {
		slices.Reverse(positions)
		for i := range positions {
			positions[i].at = last - positions[i].at
		}
	}
	var names nameArena
	drawn := make([]T, n)
	met, at := 0, uint64(0)
	err := c.Each(t, collection.Part{}, o, func(e *collection.Elements) bool {
		if positions[met].at == at {
			for v := take(e, &names); met < n && positions[met].at == at; met++ {
				drawn[positions[met].out] = v
			}
		}
		at++
		return met < n
	})
	if err == nil && met < n {
		err = c.LostElement()
	}
	return drawn, err
}

// drawKey returns the name of a key that is drawn at random, if one is found at the
// cost of less than a walk.
func drawKey(t collection.Txn) (name string, found bool, err error) {
	sc := t.Scratch()
	sc.Lo = keyenc.AppendNameRow(sc.Lo[:0], t.Prefix(), "")
	sc.Hi = collection.AppendSuccessor(sc.Hi[:0], sc.Lo)
	cur, err := t.Sample(sc.Lo, sc.Hi, collection.ScanOptions{KeysOnly: true})
	if err != nil {
		return "", false, err
	}
	defer cur.Close()
	var test collection.KeyTest
	for asked := false; cur.Next(); asked = true {
		if !asked {
			if test, err = collection.NewKeyTest(t); err != nil {
				return "", false, err
			}
		}
		if there, err := test.Shows(t, cur); err != nil || there {
			return string(cur.Key()[len(t.Prefix())+1:]), there, err
		}
	}
	return "", false, cur.Err()
}

// uniform returns an evenly distributed number below n, which is not 0.
func uniform(t collection.Txn, n uint64) uint64 {
	limit := -n % n // 2⁶⁴ mod n: the numbers below it would come up once too often
	for {
		if v := t.Uint64(); v >= limit {
			return v % n
		}
	}
}
