package recovery_test

import (
	"errors"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/recovery"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

func TestALogWhoseNumberWasNeverReservedMeansAnOlderManifest(t *testing.T) {
	dir, err := storedir.At(vfs.NewMem(), "db")
	if err == nil {
		err = dir.Make()
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := dir.Create(base.FileLog, 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(wal.NewWriter(f, wal.Header{Number: 7, DBID: 1, LogID: 77}).Start(), f.Close()); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[base.FileNum]error{8: nil, 7: base.ErrCorruption} {
		state := manifest.NewState(1)
		state.FileLimit = limit
		r, err := recovery.Open(recovery.Config{Dir: dir, State: state}, []base.FileNum{7})
		if !errors.Is(err, want) {
			t.Errorf("numbers below %d were reserved, and there is log 7: %v, want %v", limit, err, want)
		}
		if err == nil {
			r.Close()
		}
	}
}
