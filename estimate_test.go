package siltstone_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The elements of a collection lie elsewhere than its key.
func TestTheSizeOfACollectionsKeyCountsItsElements(t *testing.T) {
	s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 1 << 20 })
	for i := range 3 {
		members := make([]typed.Member, 20_000*i+100)
		for j := range members {
			members[j] = typed.Member{Name: fmt.Sprintf("%x", uint64(j+1)*0x9E3779B97F4A7C15), Score: float64(j)}
		}
		_, err := s.ZSet(fmt.Sprint("z", i)).AddMany(0, members...)
		ok(t, err)
	}
	ok(t, s.Put([]byte("a"), []byte("v")))
	ok(t, s.Flush(bg))
	ok(t, s.Compact(bg, siltstone.Range{}))
	size := func(r siltstone.Range) int64 {
		n, err := s.EstimateSize(r)
		ok(t, err)
		return n
	}
	all := size(siltstone.Range{})
	if a := size(rng("a", "b")); a > all/20 {
		t.Errorf("one value takes %d of %d bytes", a, all)
	}
	half, whole := size(rng("z1", "z2")), size(rng("z2", "z3"))
	if ratio := float64(whole) / float64(half); ratio < 1.5 || ratio > 2.5 || half < all/5 {
		t.Errorf("20,000 members take %d bytes, 40,000 take %d, all %d", half, whole, all)
	}
	if n := size(siltstone.Prefix([]byte("z"))); n < all*9/10 || n > all*11/10 {
		t.Errorf("all sorted sets take %d of %d bytes", n, all)
	}
}

// Of many keys the first ones are asked for collections, and stand for the rest.
func TestTheSizeOfManyCollectionsIsExtrapolated(t *testing.T) {
	s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 8 << 20 })
	value := strings.Repeat("v", 300)
	for i := range 15_000 {
		var fields []typed.Field
		for j := range 3 {
			fields = append(fields, typed.Field{Name: fmt.Sprint(j), Value: []byte(value)})
		}
		_, err := s.Hash(fmt.Sprintf("h%06d", i)).SetMany(fields...)
		ok(t, err)
	}
	ok(t, s.Flush(bg))
	ok(t, s.Compact(bg, siltstone.Range{}))
	all, err := s.EstimateSize(siltstone.Range{})
	ok(t, err)
	some, err := s.EstimateSize(siltstone.Prefix([]byte("h")))
	ok(t, err)
	if some < all*3/4 || some > all*5/4 {
		t.Errorf("all hashes take %d of %d bytes", some, all)
	}
}
