package reaper

import (
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/manifest"
)

func TestOnlyNeighboursOfOneKeyspaceAreJoined(t *testing.T) {
	one := func(keyspace uint32, id uint64) manifest.IDRange {
		return manifest.IDRange{Keyspace: keyspace, First: id, Last: id}
	}
	got := joinNeighbours([]manifest.IDRange{one(2, 6), one(1, 5), one(1, 8), one(2, 9), one(1, 4), one(2, 7), one(3, 10)})
	want := []manifest.IDRange{
		{Keyspace: 1, First: 4, Last: 5}, one(1, 8), {Keyspace: 2, First: 6, Last: 7}, one(2, 9), one(3, 10),
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
