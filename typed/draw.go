package typed

import (
	"slices"

	"github.com/siltstonedb/siltstone/internal/collection"
)

// maxRepeated bounds the memory that one Random takes.
const maxRepeated = 1 << 24

// draw returns n different elements, or all if there are fewer, or, with n below
// 0, −n elements each drawn from all: every choice is equally likely, and so is
// every order. take makes a result of the element the walk is on. It is the one
// place that knows how: it walks, for rows have no positions.
func draw[T any](t collection.Txn, c *collection.Collection, n int, o collection.ScanOptions, take func(*collection.Elements, *nameArena) T) ([]T, error) {
	if n < -maxRepeated {
		return nil, badCount("count", n)
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

// uniform returns an evenly distributed number below n, which is not 0.
func uniform(t collection.Txn, n uint64) uint64 {
	limit := -n % n // 2⁶⁴ mod n: the numbers below it would come up once too often
	for {
		if v := t.Uint64(); v >= limit {
			return v % n
		}
	}
}
