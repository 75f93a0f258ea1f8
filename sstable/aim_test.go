package sstable

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
)

// TestAimIsForgottenByEveryOtherMove seeks elsewhere after an aim and a move.
func TestAimIsForgottenByEveryOtherMove(t *testing.T) {
	var recs []rec
	for i := range 1000 {
		recs = append(recs, put(fmt.Sprintf("key%04d", i), 1, "a value of some length"))
	}
	file, _ := build(t, WriterOptions{BlockSize: 512}, recs)
	r := mustOpen(t, file, ReaderOptions{Cache: cache.New(1 << 20)})
	it := r.NewIter(IterOptions{})
	seek := func(key string) {
		t.Helper()
		if e := it.SeekGE([]byte(key), base.SeqMax); e == nil || string(e.Key) != key {
			t.Fatalf("the seek to %s found %v", key, e)
		}
	}
	for name, move := range map[string]func(){
		"none":   func() {},
		"First":  func() { it.First() },
		"Last":   func() { it.Last() },
		"SeekGE": func() { seek("key0800") },
		"SeekLT": func() { it.SeekLT([]byte("key0100")) },
		"Init":   func() { it.Init(r, IterOptions{}) },
	} {
		it.Aim([]byte("key0800"), false)
		if move(); name == "none" {
			seek("key0800")
			continue
		}
		seek("key0300")
	}
	if it.Aim([]byte("z"), false); it.SeekGE([]byte("z"), base.SeqMax) != nil {
		t.Error("an aim beyond the last key found one")
	}
}
