package iterator

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

// tables is a run of in-memory tables that counts what is opened.
type tables struct {
	entries [][]Entry
	bounds  [][2]string // wider than the entries if set
	open    int
	opened  []int
	goesOn  []bool // a walk, in those opened
	fail    int    // table that does not open; −1: none
}

func (s *tables) Len() int { return len(s.entries) }

func (s *tables) Bounds(i int) (smallest, largest []byte) {
	if b := s.bounds[i]; b != [2]string{} {
		return []byte(b[0]), []byte(b[1])
	}
	return s.entries[i][0].Key, s.entries[i][len(s.entries[i])-1].Key
}

func (s *tables) Open(i int, on bool) (Iterator, error) {
	if i == s.fail {
		return nil, errBroken
	}
	s.open++
	s.opened, s.goesOn = append(s.opened, i), append(s.goesOn, on)
	return &opened{Slice: NewSlice(s.entries[i]), of: s}, nil
}

type opened struct {
	*Slice
	of *tables
}

func (o *opened) Close() error {
	o.of.open--
	return nil
}

// split cuts sorted entries into tables, never inside a key, with tables that
// hold no entry here and there.
func split(all []Entry, size int) *tables {
	s := &tables{fail: -1}
	for lo := 0; lo < len(all); {
		hi := min(lo+size, len(all))
		for hi < len(all) && string(all[hi].Key) == string(all[hi-1].Key) {
			hi++
		}
		s.entries = append(s.entries, all[lo:hi])
		s.bounds = append(s.bounds, [2]string{})
		if k := string(all[hi-1].Key); len(s.entries)%3 == 0 && (hi == len(all) || k+"\x00\x01" < string(all[hi].Key)) {
			s.entries = append(s.entries, nil)
			s.bounds = append(s.bounds, [2]string{k + "\x00", k + "\x00\x01"})
		}
		lo = hi
	}
	return s
}

// Only a walk goes on in the next table: whatever else comes there reads it anew.
func TestConcatSaysWhereAWalkGoesOn(t *testing.T) {
	var all []Entry
	for i := range 9 {
		all = append(all, Entry{Key: fmt.Appendf(nil, "k%d", i), Trailer: base.Trailer{Seq: 1}})
	}
	s := &tables{entries: [][]Entry{all[:3], all[3:6], all[6:]}, bounds: make([][2]string, 3), fail: -1}
	var c Concat
	c.Init(s)
	defer c.Close()
	for _, step := range []struct {
		what string
		move func() *Entry
		want string // tables, with + where a walk goes on
	}{
		{"First", c.First, "0"},
		{"SeekGE in the next", func() *Entry { return c.SeekGE([]byte("k4"), base.SeqMax) }, "1"},
		{"Next within", c.Next, ""},
		{"Next to another", c.Next, "2+"},
		{"Prev back", c.Prev, "1+"},
		{"SeekLT at a border", func() *Entry { return c.SeekLT([]byte("k3")) }, "0"},
		{"Last", c.Last, "2"},
		{"Prev", func() *Entry { c.Prev(); c.Prev(); return c.Prev() }, "1+"},
		{"First again", c.First, "0"},
	} {
		s.opened, s.goesOn = nil, nil
		if step.move() == nil {
			t.Fatalf("%s: %v", step.what, c.Err())
		}
		got := ""
		for i, n := range s.opened {
			got += fmt.Sprint(n)
			if s.goesOn[i] {
				got += "+"
			}
		}
		if got != step.want {
			t.Errorf("%s opens %q, want %q", step.what, got, step.want)
		}
	}
}

func TestConcatWalksLikeOneSortedSlice(t *testing.T) {
	for name, key := range keyMakers {
		t.Run(name, func(t *testing.T) {
			r := newRand(t)
			for range 10 {
				_, all := scatter(r, 1+r.IntN(300), 1, key)
				s := split(all, 1+r.IntN(40))
				c := &Concat{}
				c.Init(s)
				walk(t, r, c, all, key, 150)
				if s.open > 1 {
					t.Fatalf("%d tables open at once", s.open)
				}
				if err := c.Close(); err != nil || s.open != 0 {
					t.Fatalf("Close: %v, %d tables left open", err, s.open)
				}
			}
		})
	}
}

func TestConcatOpensOnlyTheTableItNeeds(t *testing.T) {
	var all []Entry
	for i := range 100 {
		all = append(all, put(fmt.Sprintf("k%03d", i), 1))
	}
	s := split(all, 10)
	c := &Concat{}
	c.Init(s)
	if len(s.opened) != 0 {
		t.Fatal("a table was opened before the first move")
	}
	c.SeekGE([]byte("k055"), base.SeqMax)
	c.SeekGE([]byte("k058"), base.SeqMax)
	c.SeekLT([]byte("k052"))
	if len(s.opened) != 1 {
		t.Fatalf("opened tables %v for one neighbourhood", s.opened)
	}
}

func TestTableThatDoesNotOpenStopsTheConcat(t *testing.T) {
	var all []Entry
	for i := range 30 {
		all = append(all, put(fmt.Sprintf("k%03d", i), 1))
	}
	s := split(all, 10)
	s.fail = slices.IndexFunc(s.entries, func(e []Entry) bool { return len(e) > 0 && string(e[0].Key) == "k010" })
	c := &Concat{}
	c.Init(s)
	n := 0
	for e := c.First(); e != nil; e = c.Next() {
		n++
	}
	if n != 10 || !errors.Is(c.Err(), errBroken) {
		t.Fatalf("%d entries, %v", n, c.Err())
	}
	if e := c.SeekGE([]byte("k025"), base.SeqMax); e == nil || c.Err() != nil {
		t.Fatal("a seek elsewhere does not recover")
	}
}

// TestAimedSeekIsTheSeekItself aims, and sometimes moves elsewhere instead.
func TestAimedSeekIsTheSeekItself(t *testing.T) {
	r := newRand(t)
	for _, key := range keyMakers {
		_, all := scatter(r, 200, 1, key)
		c, plain := &Concat{}, &Concat{}
		c.Init(split(all, 20))
		plain.Init(split(all, 20))
		for range 500 {
			k := key(r)
			c.Aim([]byte(k), r.IntN(4) == 0)
			switch r.IntN(5) {
			case 0:
				c.First()
				k = key(r)
			case 1:
				c.Last()
				k = key(r)
			case 2:
				c.SeekLT([]byte(k))
				k = key(r)
			}
			got, want := c.SeekGE([]byte(k), base.SeqMax), plain.SeekGE([]byte(k), base.SeqMax)
			if (got == nil) != (want == nil) || got != nil && (string(got.Key) != string(want.Key) || got.Seq != want.Seq) {
				t.Fatalf("seek of %q: %v, want %v", k, got, want)
			}
		}
	}
}
