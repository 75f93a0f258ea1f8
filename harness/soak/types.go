package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

const (
	collections = 8   // of each type
	elements    = 300 // that a collection may have
	elemValue   = 100 // bytes of the value of a field or item
)

// types are what the typed values of a writer hold.
type types struct {
	hashes [collections][]uint64 // the turn of each field; 0: none
	sets   [collections][]bool
	scores [collections][]uint64 // of the members of sorted sets; 0: none
	lists  [collections][]uint64 // turns, from the front
	counts [collections]int64
	moves  int64
}

func newTypes() (t types) {
	for i := range collections {
		t.hashes[i], t.sets[i], t.scores[i] = make([]uint64, elements), make([]bool, elements), make([]uint64, elements)
	}
	return t
}

// typed does one thing to a typed value.
func (w *writer) typed() error {
	c, e := w.rng.IntN(collections), w.rng.IntN(elements)
	switch w.rng.IntN(5) {
	case 0:
		return w.hash(c, e)
	case 1:
		return w.set(c, e)
	case 2:
		return w.zset(c, e)
	case 3:
		return w.list(c)
	}
	w.types.counts[c]++
	n, err := w.db.String(w.name("count", c)).Incr(1)
	if err == nil && n != w.types.counts[c] {
		err = fmt.Errorf("%s is %d, want %d", w.name("count", c), n, w.types.counts[c])
	}
	return err
}

// element begins a turn whose value is short.
func (w *writer) element() (turn uint64, value []byte) {
	w.turn++
	w.written += elemValue
	return w.turn, w.bytesOf(w.turn, elemValue)
}

func (w *writer) hash(c, e int) error {
	h, field, turn := w.db.Hash(w.name("hash", c)), fmt.Sprint("field", e), &w.types.hashes[c][e]
	switch w.rng.IntN(4) {
	case 0:
		n, err := h.Remove(field)
		if err == nil && (n == 1) != (*turn != 0) {
			err = fmt.Errorf("%s: %d fields %s were removed", h.Name(), n, field)
		}
		*turn = 0
		return err
	case 1:
		v, err := h.Get(field)
		if err != nil && !errors.Is(err, siltstone.ErrNotFound) {
			return err
		}
		if (err == nil) != (*turn != 0) || err == nil && !bytes.Equal(v, w.bytesOf(*turn, elemValue)) {
			return fmt.Errorf("%s: field %s has not its value of turn %d", h.Name(), field, *turn)
		}
		return nil
	}
	var v []byte
	*turn, v = w.element()
	_, err := h.Set(field, v)
	return err
}

func (w *writer) set(c, e int) error {
	s, member, there := w.db.Set(w.name("set", c)), fmt.Sprint("member", e), &w.types.sets[c][e]
	switch w.rng.IntN(5) {
	case 0:
		n, err := s.Remove(member)
		if err == nil && (n == 1) != *there {
			err = fmt.Errorf("%s: %d members %s were removed", s.Name(), n, member)
		}
		*there = false
		return err
	case 1:
		popped, err := s.Pop(1)
		for _, m := range popped {
			var e int
			if _, err := fmt.Sscanf(m, "member%d", &e); err != nil || e >= elements || !w.types.sets[c][e] {
				return fmt.Errorf("%s: %q was popped, and was not there", s.Name(), m)
			}
			w.types.sets[c][e] = false
		}
		return err
	}
	n, err := s.Add(member)
	if err == nil && (n == 0) != *there {
		err = fmt.Errorf("%s: %d members %s were added", s.Name(), n, member)
	}
	*there = true
	return err
}

func (w *writer) zset(c, e int) error {
	z, member, score := w.db.ZSet(w.name("zset", c)), fmt.Sprint("member", e), &w.types.scores[c][e]
	switch w.rng.IntN(5) {
	case 0:
		n, err := z.Remove(member)
		if err == nil && (n == 1) != (*score != 0) {
			err = fmt.Errorf("%s: %d members %s were removed", z.Name(), n, member)
		}
		*score = 0
		return err
	case 1:
		want := w.ranked(c)
		popped, err := z.PopMin(1)
		if err == nil && !slices.Equal(popped, want[:min(1, len(want))]) {
			err = fmt.Errorf("%s: %v was popped, want the first of %v", z.Name(), popped, want)
		}
		for _, m := range popped {
			var e int
			if _, err := fmt.Sscanf(m.Name, "member%d", &e); err != nil || e >= elements {
				return fmt.Errorf("%s: %q was popped", z.Name(), m.Name)
			}
			w.types.scores[c][e] = 0
		}
		return err
	}
	w.turn++
	*score = w.turn
	_, err := z.Add(member, float64(*score))
	return err
}

// ranked returns the members that a sorted set must have, lowest first.
func (w *writer) ranked(c int) (all []typed.Member) {
	for e, score := range w.types.scores[c] {
		if score != 0 {
			all = append(all, typed.Member{Name: fmt.Sprint("member", e), Score: float64(score)})
		}
	}
	slices.SortFunc(all, func(a, b typed.Member) int { return cmp.Compare(a.Score, b.Score) })
	return all
}

func (w *writer) list(c int) error {
	l, items := w.db.List(w.name("list", c)), &w.types.lists[c]
	if len(*items) == elements || w.rng.IntN(2) == 0 {
		v, err := l.PopFront()
		if len(*items) == 0 && errors.Is(err, siltstone.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(*items) == 0 || !bytes.Equal(v, w.bytesOf((*items)[0], elemValue)) {
			return fmt.Errorf("%s: what was popped is not its first", l.Name())
		}
		*items = slices.Delete(*items, 0, 1)
		return nil
	}
	turn, v := w.element()
	*items = append(*items, turn)
	_, err := l.PushBack(v)
	return err
}

// verifyTyped compares every typed value that does not end.
func (w *writer) verifyTyped() error {
	for c := range collections {
		if err := errors.Join(w.verifyHash(c), w.verifySet(c), w.verifyZSet(c), w.verifyList(c)); err != nil {
			return err
		}
		n, err := w.db.String(w.name("count", c)).Incr(0)
		if err != nil || n != w.types.counts[c] {
			return fmt.Errorf("%s is %d, want %d: %w", w.name("count", c), n, w.types.counts[c], err)
		}
	}
	n, err := w.db.String(w.name("moves", 0)).Incr(0)
	if err != nil || n != w.types.moves {
		return fmt.Errorf("%d transactions are counted, want %d: %w", n, w.types.moves, err)
	}
	return nil
}

func (w *writer) verifyHash(c int) error {
	got, want := map[string]string{}, 0
	for f, err := range w.db.Hash(w.name("hash", c)).All() {
		if err != nil {
			return err
		}
		got[f.Name] = string(f.Value)
	}
	for e, turn := range w.types.hashes[c] {
		if turn == 0 {
			continue
		}
		if want++; got[fmt.Sprint("field", e)] != string(w.bytesOf(turn, elemValue)) {
			return fmt.Errorf("%s: field %d has not its value of turn %d", w.name("hash", c), e, turn)
		}
	}
	if len(got) != want {
		return fmt.Errorf("%s has %d fields, want %d", w.name("hash", c), len(got), want)
	}
	return nil
}

func (w *writer) verifySet(c int) error {
	var want []string
	for e, there := range w.types.sets[c] {
		if there {
			want = append(want, fmt.Sprint("member", e))
		}
	}
	slices.Sort(want)
	var got []string
	for m, err := range w.db.Set(w.name("set", c)).All() {
		if err != nil {
			return err
		}
		got = append(got, m)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s is %v, want %v", w.name("set", c), got, want)
	}
	return nil
}

func (w *writer) verifyZSet(c int) error {
	var got []typed.Member
	for m, err := range w.db.ZSet(w.name("zset", c)).All() {
		if err != nil {
			return err
		}
		got = append(got, m)
	}
	if want := w.ranked(c); !slices.Equal(got, want) {
		return fmt.Errorf("%s is %v, want %v", w.name("zset", c), got, want)
	}
	return nil
}

func (w *writer) verifyList(c int) error {
	want := w.types.lists[c]
	for v, err := range w.db.List(w.name("list", c)).Range(0, -1) {
		if err != nil {
			return err
		}
		if len(want) == 0 || !bytes.Equal(v, w.bytesOf(want[0], elemValue)) {
			return fmt.Errorf("%s: not the item that it must have, with %d to come", w.name("list", c), len(want))
		}
		want = want[1:]
	}
	if len(want) > 0 {
		return fmt.Errorf("%s ends %d items too early", w.name("list", c), len(want))
	}
	return nil
}
