package siltstone

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
)

func TestConflictsAndReapedCollectionsAreCounted(t *testing.T) {
	typedtest.InRows(t)
	var reaped []Reaped
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, OnEvent: func(e Event) {
		if r, is := e.(Reaped); is {
			reaped = append(reaped, r)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin(t.Context(), ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Get([]byte("k")); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if err := errors.Join(db.Put([]byte("k"), nil), tx.Put([]byte("other"), nil)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	if _, err := db.Set("s").Add("a", "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Key("s").Drop(); err != nil {
		t.Fatal(err)
	}
	if err := db.step(); err != nil {
		t.Fatal(err)
	}
	m := db.Metrics()
	if m.Commits.Conflicts != 1 || m.Dead.Reaped != 1 || len(reaped) != 1 || reaped[0].Collections != 1 {
		t.Errorf("%v reaped\n%v", reaped, m)
	}
}

func TestDiskFiguresAreWhatTheDirectoryHolds(t *testing.T) {
	dir := t.TempDir()
	db := storeIn(t, dir)
	defer db.Close()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if err := db.Compact(t.Context(), Range{}); err != nil {
		t.Fatal(err)
	}
	sum := func(pattern string) (n int64) {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			st, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			n += st.Size()
		}
		return n
	}
	d := db.Metrics().Disk
	if d.Tables+d.Obsolete != sum("*.sst") || d.Obsolete == 0 || d.Logs != sum("*.wal") || d.Manifest != sum("MANIFEST-*") || d.Free <= 0 {
		t.Errorf("%+v", d)
	}
}
