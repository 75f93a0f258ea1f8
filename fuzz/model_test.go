package fuzz

import (
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/fuzz/model"
)

// FuzzModel runs the input as a tape of operations against a store and a model
// of it: three bytes are an operation. Every answer is compared, power cuts and
// reopenings included. Workers make its coverage vary, so run it with
// -fuzzminimizetime 1x.
func FuzzModel(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(uint8(seed), model.Random(seed, 60).Bytes())
	}
	f.Fuzz(func(t *testing.T, config uint8, tape []byte) {
		const longest = 600 // bytes: time is better spent on many short tapes
		o := siltstone.Options{
			MemtableBytes: 64 << 10, MemoryLimit: 8 << 20,
			Durability:  siltstone.Durability(config % 4),
			Compression: siltstone.Compression(config / 4 % 3),
		}
		if err := model.Check(model.FromBytes(tape[:min(len(tape), longest)]), model.Config{Options: o, Keyspaces: int(config / 12 % 3)}); err != nil {
			t.Fatal(err)
		}
	})
}
