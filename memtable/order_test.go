package memtable

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/siltstonedb/siltstone/internal/base"
)

// drawRow draws the leaves: fence, skip ('?' if it is to be looked at), keys.
func drawRow(table *Table) string {
	var b strings.Builder
	for l := table.order.first; l != nil; l = l.next {
		open := ""
		if l.open {
			open = "?"
		}
		fmt.Fprintf(&b, "%q skip %d%s: %d keys %s–%s\n", l.lo, l.skip, open, l.n, table.arena.key(l.ref[0]), table.arena.key(l.ref[l.n-1]))
	}
	return b.String()
}

func TestLeavesSplitAsTheKeysCome(t *testing.T) {
	key := func(i int) string { return fmt.Sprintf("key%04d", i) }
	for _, c := range []struct {
		name string
		at   func(i int) int
		want string
	}{
		{"rising keys leave full leaves", func(i int) int { return i }, `
"" skip 4?: 120 keys key0000–key0119
"key0120" skip 4?: 120 keys key0120–key0239
"key0240" skip 5?: 60 keys key0240–key0299
`},
		{"falling keys too", func(i int) int { return 299 - i }, `
"" skip 5?: 60 keys key0000–key0059
"key0060" skip 4: 120 keys key0060–key0179
"key0180" skip 4?: 120 keys key0180–key0299
`},
		{"others leave half", func(i int) int { return i * 7 % 300 }, `
"" skip 5?: 70 keys key0000–key0069
"key0070" skip 4: 70 keys key0070–key0139
"key0140" skip 4: 77 keys key0140–key0216
"key0217" skip 5?: 83 keys key0217–key0299
`},
		{"two rising streams", func(i int) int { return i%2*5000 + i/2 }, `
"" skip 4?: 120 keys key0000–key0119
"key0120" skip 3: 30 keys key0120–key0149
"key5000" skip 4?: 120 keys key5000–key5119
"key5120" skip 5?: 30 keys key5120–key5149
`},
	} {
		table := New(1 << 20)
		for i := range 300 {
			set(table, key(c.at(i)), base.SeqNum(i+1), "")
		}
		checkRow(t, table)
		if got := drawRow(table); got != strings.TrimPrefix(c.want, "\n") {
			t.Errorf("%s:\n%s", c.name, got)
		}
	}
}

func TestRisingKeysFillTheirLeaves(t *testing.T) {
	for name, key := range map[string]func(i int) string{
		"one stream":   func(i int) string { return fmt.Sprintf("%09d", i) },
		"five streams": func(i int) string { return fmt.Sprintf("s%d:%09d", i%5, i) },
		"falling":      func(i int) string { return fmt.Sprintf("%09d", 1<<20-i) },
	} {
		table := New(8 << 20)
		const n = 12_000
		for i := range n {
			set(table, key(i), base.SeqNum(i+1), "")
		}
		if got := len(table.order.leaves); got > n/pageCap+20 {
			t.Errorf("%s: %d leaves for %d keys", name, got, n)
		}
	}
}

func TestLeafFillsItsAllocation(t *testing.T) {
	if got := unsafe.Sizeof(leaf{}); unsafe.Sizeof(uintptr(0)) == 8 && got != 1536 {
		t.Errorf("a leaf has %d bytes", got)
	}
}

func TestSkiplistLearnsWhatTheFencesShare(t *testing.T) {
	table := New(32 << 20)
	for i := range 20_000 {
		set(table, fmt.Sprintf("a:long:common:prefix:%06d", i*7919%20_000), base.SeqNum(i+1), "")
	}
	if got := string(table.order.learned); got != "a:long:common:prefix:0" && got != "a:long:common:prefix:" {
		t.Errorf("learned %q", got)
	}
	for i := range 200 { // on both sides of what was learned
		set(table, fmt.Sprintf("A%03d", i), base.SeqNum(30_000+2*i), "")
		set(table, fmt.Sprintf("z%03d", i), base.SeqNum(30_001+2*i), "")
	}
	checkRow(t, table)
}

func TestScoreNeverContradictsCompare(t *testing.T) {
	r := newSeed(t)
	keys := []string{"", "a", "p", "pr", "pre", "pre\x00", "pre\x7f\xff\xff\xff\xff\xff\xff\xff", "pre\x80", "pre\xff\xff\xff\xff\xff\xff\xff\xff", "prf", "q", "\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff"}
	for range 300 {
		b := make([]byte, r.IntN(12))
		for i := range b {
			b[i] = []byte{0, 1, 0x7f, 0x80, 0xff, 'p', 'r', 'e'}[r.IntN(8)]
		}
		keys = append(keys, string(b), "pre"+string(b))
	}
	slices.Sort(keys)
	for _, prefix := range []string{"", "pre", "zz"} {
		o := fenceOrder{[]byte(prefix)}
		last := math.Inf(-1)
		for _, k := range keys {
			score := o.CalcScore(&fence{key: []byte(k)})
			if math.IsNaN(score) || score < last {
				t.Fatalf("prefix %q: score of %q is %v, below %v", prefix, k, score, last)
			}
			last = score
		}
	}
	if o := (fenceOrder{}); o.Compare(&fence{key: []byte("a")}, &fence{key: []byte("b")}) >= 0 {
		t.Error("a is not below b")
	}
	if ordered(1<<63) <= ordered(1<<62) || bytes.Compare([]byte{0x80}, []byte{0x40}) <= 0 {
		t.Error("upper half is not above the lower")
	}
}

func TestCoinLetsAQuarterGrow(t *testing.T) {
	c := coin(1)
	grows := 0
	for range 100_000 {
		if c.Int63()&(1<<62) != 0 {
			grows++
		}
	}
	if grows < 24_000 || grows > 26_000 {
		t.Errorf("%d of 100000 grow", grows)
	}
}
