package siltstone

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/typed/typedtest"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// idOfRow returns the collection that a row of metadata carries.
func idOfRow(r *typedtest.Row) (uint64, bool) {
	_, rest, ok := keyenc.KeyspaceOf(r.Key)
	if !ok || rest[0] != keyenc.SpaceKeys {
		return 0, false
	}
	return record.CollectionID(record.Type(r.Attr.Type()), r.Value)
}

func TestVerdictOfLifeDoesNotSettleALaterNomination(t *testing.T) {
	s := newTypedStore(t, 1)
	ctx := context.Background()
	added, err := s.Hash("old").Set("f", []byte("1"))
	s.done(err)
	if !added {
		t.Fatal("not added")
	}
	s.done(s.db.Flush(ctx))
	s.done(s.Key("old").Rename("new"))
	s.done(s.db.Compact(ctx, Range{})) // drops the row under the old name, and nominates
	s.reapAll()                        // "alive", to be durable with this memtable
	_, err = s.Hash("new").Set("g", nil)
	s.done(err)
	s.done(s.db.Delete([]byte("new"))) // blind, and nobody is told
	s.done(s.db.Flush(ctx))            // drops the metadata row: nominates again
	s.crash(vfstest.P1)
	s.reapAll()
	s.done(s.recount(true))
}

func TestTimerThatIsDueIsNotForgottenInACrash(t *testing.T) {
	s := newTypedStore(t, 1)
	s.done(typedtest.Populate(s)) // the hash expires
	s.done(s.db.Compact(context.Background(), Range{}))
	s.Advance(2 * time.Hour.Milliseconds())
	s.db.nominateRanges([]manifest.IDRange{{First: 1 << 40, Last: 1<<40 + 2*reapBatch}}) // others go first
	var images []*vfstest.Disk
	s.disk.OnOp(func(vfstest.Op) { images = append(images, s.disk.Image(vfstest.P0, nil)) })
	s.reapAll()
	s.done(s.db.Sync())
	s.disk.OnOp(nil)
	if len(images) == 0 {
		t.Fatal("the reaper wrote nothing")
	}
	for i, image := range images {
		o := denseOptions(image, s.clock)
		db, err := Open("db", &o)
		s.done(err)
		again := &typedStore{t: t, clock: s.clock, db: db}
		again.reapAll()
		if err := again.recount(true); err != nil {
			t.Errorf("cut before write %d of the reaper: %v", i+1, err)
		}
		s.done(db.Close())
	}
}

func TestUpdateThatTheReaperOvertakesIsNotBlamed(t *testing.T) {
	s := newTypedStore(t, 1)
	s.done(typedtest.Populate(s))
	s.Advance(2 * time.Hour.Milliseconds())
	attempts := 0
	s.done(s.db.Update(context.Background(), func(tx *Tx) error {
		attempts = tx.Attempt()
		want(t, false)(tx.Key("hash").Exists())
		if attempts <= gateAfter {
			_, err := tx.Has([]byte("contended"))
			return errors.Join(err, s.db.Put([]byte("contended"), nil), tx.Put([]byte("result"), nil))
		}
		s.reapAll() // behind the gate it is not held back, and writes over the hash
		return tx.Put([]byte("result"), nil)
	}))
	if attempts != gateAfter+2 {
		t.Errorf("%d attempts", attempts)
	}
}

// reapAll lets the reaper decide everything, without a merge.
func (s *typedStore) reapAll() {
	s.t.Helper()
	for did := true; did; {
		var err error
		did, err = s.db.reapStep()
		s.done(err)
	}
}
