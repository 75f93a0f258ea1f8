package typed_test

import (
	"testing"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/typedtest"
)

func TestBehaviour(t *testing.T) { typedtest.InEveryForm(t, behaviour) }

func behaviour(t *testing.T) {
	typedtest.Behaviour(t, func(t *testing.T) typedtest.Store {
		db := newFake(t, 1)
		db.unkind = true
		t.Cleanup(func() {
			if err := db.check(); err != nil {
				t.Error(err)
			}
		})
		return db
	})
}

func TestHistoriesAnswerLikeTheModel(t *testing.T) {
	seeds := uint64(25)
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		db := newFake(t, seed)
		db.unkind = true
		limit := typedtest.InlineLimits[seed%3]
		typedtest.InlineUpTo(t, limit.Elements, limit.Bytes)
		typedtest.PurgeUpTo(t, []uint64{1000, 1}[seed/2%2])
		if seed%2 == 1 {
			db.prefix = keyenc.AppendKeyspacePrefix(nil, 7)
		}
		err := typedtest.History(db, typedtest.HistoryOptions{
			Seed: seed, Steps: 1500, Each: func(int) error { return db.check() },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
