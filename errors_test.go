package siltstone

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// An error is read by somebody who did not write the call: it says what it is about.
func TestErrorsSayWhatTheyAreAbout(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), newHandClock())
	putAt(t, db, Sync, "s", "text")
	if _, err := db.Hash("h").Set("f", []byte("1.x")); err != nil {
		t.Fatal(err)
	}
	long := make([]byte, 102400)
	batch := func(fill func(b *Batch)) error {
		var b Batch
		fill(&b)
		return db.Apply(&b, Sync)
	}
	_, openErr := Open("db", &Options{FS: vfs.NewMem(), MemoryLimit: 1 << 20})
	_, getErr := db.Get([]byte("h"))
	_, typeErr := db.Hash("s").Set("f", nil)
	_, nameErr := db.Keyspace(strings.Repeat("n", 300))
	_, incrErr := db.Hash("h").Incr("f", 1)
	_, bothErr := db.String("s").SetWith(nil, typed.SetOptions{TTL: 1, KeepTTL: true})
	_, condErr := db.ZSet("z").AddMany(typed.NX | typed.GT)
	_, rangeErr := db.ZSet("z").RemoveRange(typed.ZRange{})
	for _, c := range []struct {
		err  error
		kind error
		want string
	}{
		{getErr, ErrWrongType, `key "h" holds a hash, not a string`},
		{typeErr, ErrWrongType, `key "s" holds a string, not a hash`},
		{db.Put(long, nil), ErrKeyTooLarge, "key has 102400 bytes, the limit is 65536"},
		{nameErr, ErrKeyTooLarge, "name of a keyspace has 300 bytes, the limit is 255"},
		{batch(func(b *Batch) { b.Put([]byte("k"), nil); b.Put(nil, nil) }), ErrEmptyKey, "batch operation 2 (put): empty key"},
		{openErr, nil, "option MemoryLimit: 1048576 is below the least, 8388608"},
		{bothErr, ErrSyntax, "SetOptions: TTL, At and KeepTTL exclude one another"},
		{condErr, ErrSyntax, "the conditions NX and GT contradict each other"},
		{rangeErr, ErrSyntax, "the zero ZRange chooses nothing: use ByRank, ByScore or ByLex"},
		{db.View(context.Background(), func(tx *Tx) error { return tx.Put([]byte("k"), nil) }), ErrReadOnly, "Put in a read-only transaction"},
		{incrErr, ErrNotNumber, `key "h", field "f": value is not a number`},
		{db.Update(context.Background(), func(tx *Tx) error {
			return db.Update(tx.Context(), func(*Tx) error { return nil })
		}), ErrNested, "Update called with the context of a running Update; use its Tx"},
	} {
		if c.err == nil || c.err.Error() != "siltstone: "+c.want || c.kind != nil && !errors.Is(c.err, c.kind) {
			t.Errorf("%v\nwant %s", c.err, c.want)
		}
	}
}

func TestErrorsOfOpenSayWhatWasBeingDone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(filepath.Join(dir, "open"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	full := vfs.NewMem()
	full.SetCapacity(1)
	for _, c := range []struct {
		dir  string
		o    *Options
		kind error
	}{
		{"", nil, fs.ErrNotExist},
		{filepath.Join(dir, "missing"), &Options{MustExist: true}, fs.ErrNotExist},
		{filepath.Join(dir, "missing"), &Options{ReadOnly: true}, fs.ErrNotExist},
		{file, nil, nil},
		{filepath.Join(dir, "open"), nil, ErrLocked},
		{"full", &Options{FS: full}, ErrNoSpace},
	} {
		_, err := Open(c.dir, c.o)
		if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("siltstone: open %q: ", c.dir)) || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("Open(%q): %v", c.dir, err)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "siltstone: ") != 1) {
			t.Errorf("not one line with one prefix: %q", err)
		}
	}
	if _, err := Repair(context.Background(), filepath.Join(dir, "open"), filepath.Join(dir, "new"), nil); !errors.Is(err, ErrLocked) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Repair of an open store: %q", err)
	}
}

func TestTheStackOfAnOpenHandleBeginsWithItsCaller(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), newHandClock(), func(o *Options) { o.TrackOpen = true })
	for range db.Scan(Range{}) {
	}
	err := db.View(context.Background(), func(*Tx) error {
		if stack := db.OpenHandles()[0].Stack; !strings.HasPrefix(stack, "github.com/siltstonedb/siltstone.TestTheStack") {
			t.Errorf("the stack is\n%s", stack)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
