package siltstone

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone/typed"
)

// BenchmarkList measures lists of a million values, once contiguous and once with
// a gap in the middle.
func BenchmarkList(b *testing.B) {
	for _, gaps := range []bool{false, true} {
		name := "contiguous"
		if gaps {
			name = "gaps"
		}
		b.Run(name, func(b *testing.B) {
			l := benchList(b, gaps)
			v := benchValue(rand.New(rand.NewPCG(1, 2)))
			b.Run("AtRandom", func(b *testing.B) {
				rng := rand.New(rand.NewPCG(3, 4))
				benchCalls(b, func(int) error { _, err := l.At(rng.Int64N(benchKeys)); return err })
			})
			b.Run("AtNearTheEnd", func(b *testing.B) {
				benchCalls(b, func(i int) error { _, err := l.At(-1 - int64(i%10)); return err })
			})
			b.Run("PushPopFront", func(b *testing.B) {
				benchCalls(b, func(i int) error { return pushPop(i, l.PushFront, l.PopFront, v) })
			})
			b.Run("PushPopBack", func(b *testing.B) {
				benchCalls(b, func(i int) error { return pushPop(i, l.PushBack, l.PopBack, v) })
			})
		})
	}
	b.Run("Insert", func(b *testing.B) {
		l := benchList(b, false)
		v := benchValue(rand.New(rand.NewPCG(1, 2)))
		at := func(position uint64) func(b *testing.B) {
			pivot := binary.BigEndian.AppendUint64(nil, position)
			return func(b *testing.B) {
				benchCalls(b, func(int) error { _, err := l.InsertAfter(pivot, v); return err })
			}
		}
		b.Run("NearTheFront", at(10)) // the walk to the pivot is short
		b.Run("InTheMiddle", at(benchKeys/2))
	})
}

// benchList returns a list of benchKeys values, which are their positions.
func benchList(b *testing.B, gaps bool) typed.List {
	b.Helper()
	l := benchStore(b, false).List("list")
	values := make([][]byte, 0, 10_000)
	for i := range uint64(benchKeys) {
		if values = append(values, binary.BigEndian.AppendUint64(nil, i)); len(values) == cap(values) {
			if _, err := l.PushBack(values...); err != nil {
				b.Fatal(err)
			}
			values = values[:0]
		}
	}
	if gaps {
		if _, err := l.InsertAfter(binary.BigEndian.AppendUint64(nil, benchKeys/2), nil); err != nil {
			b.Fatal(err)
		}
	}
	return l
}

func benchCalls(b *testing.B, call func(i int) error) {
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := call(i); err != nil {
			b.Fatal(err)
		}
	}
}

// pushPop pushes and pops by turns, so that the list keeps its length.
func pushPop(i int, push func(...[]byte) (int64, error), pop func() ([]byte, error), v []byte) error {
	if i%2 == 0 {
		_, err := push(v)
		return err
	}
	_, err := pop()
	return err
}
