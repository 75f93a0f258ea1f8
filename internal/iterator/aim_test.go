package iterator

import (
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

// aimed is a child that reads a file at each seek, or never.
type aimed struct {
	*Slice
	name  string
	reads bool
	calls *[]string
}

func (a *aimed) note(call string) { *a.calls = append(*a.calls, call+" "+a.name) }

func (a *aimed) Aim(_ []byte, backward bool) bool {
	if a.note("aim"); backward {
		a.note("back")
	}
	return a.reads
}

func (a *aimed) Begin() { a.note("begin") }

func (a *aimed) SeekGE(key []byte, seq base.SeqNum) *Entry {
	a.note("seek")
	return a.Slice.SeekGE(key, seq)
}

func (a *aimed) SeekLT(key []byte) *Entry {
	a.note("seek")
	return a.Slice.SeekLT(key)
}

func TestAMergeBeginsTheReadsOfAllChildrenButTheFirst(t *testing.T) {
	for _, c := range []struct {
		name  string
		reads []bool
		want  []string // after the aims, before the seeks
	}{
		{"several", []bool{false, true, true, false, true}, []string{"begin c", "begin e"}},
		{"one", []bool{false, false, true}, nil},
		{"none", []bool{false, false}, nil},
	} {
		for _, backward := range []bool{false, true} {
			var calls, want []string
			var its []Iterator
			for i, reads := range c.reads {
				name := string(rune('a' + i))
				its = append(its, &aimed{NewSlice([]Entry{put("k", base.SeqNum(i+1))}), name, reads, &calls})
				if want = append(want, "aim "+name); backward {
					want = append(want, "back "+name)
				}
			}
			want = append(want, c.want...)
			for _, it := range its {
				want = append(want, "seek "+it.(*aimed).name)
			}
			m := &Merging{}
			m.Init(its)
			if backward {
				m.SeekLT([]byte("l"))
			} else {
				m.SeekGE([]byte("a"), base.SeqMax)
			}
			if !slices.Equal(calls, want) {
				t.Errorf("%s, backward %v: the calls are %q, want %q", c.name, backward, calls, want)
			}
		}
	}
}

// TestAimedSeekBackIsTheSeekItself aims back, and sometimes forward or moves elsewhere.
func TestAimedSeekBackIsTheSeekItself(t *testing.T) {
	r := newRand(t)
	for _, key := range keyMakers {
		_, all := scatter(r, 200, 1, key)
		c, plain := &Concat{}, &Concat{}
		c.Init(split(all, 20))
		plain.Init(split(all, 20))
		for range 500 {
			k := key(r)
			c.Aim([]byte(k), r.IntN(5) > 0)
			switch r.IntN(5) {
			case 0:
				c.First()
				k = key(r)
			case 1:
				c.Last()
				k = key(r)
			case 2:
				c.SeekGE([]byte(k), base.SeqMax)
				k = key(r)
			}
			got, want := c.SeekLT([]byte(k)), plain.SeekLT([]byte(k))
			if (got == nil) != (want == nil) || got != nil && (string(got.Key) != string(want.Key) || got.Seq != want.Seq) {
				t.Fatalf("seek back from %q: %v, want %v", k, got, want)
			}
		}
	}
}
