package siltstone_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestAWalkKeepsToMaxOpenFiles(t *testing.T) {
	const limit, keys = 16, 4000
	mem := vfs.NewMem()
	o := siltstone.Options{FS: mem, MemoryLimit: 64 << 20, MaxOpenFiles: limit, Compression: siltstone.NoCompression}
	o.Extreme(siltstone.Extremes{BlockSize: 1 << 10, TableBytes: 4 << 10, ManualWork: true})
	db, err := siltstone.Open("db", &o)
	ok(t, err)
	t.Cleanup(func() { _ = db.Close() })
	for i := range keys {
		ok(t, db.Put(fmt.Appendf(nil, "%08d", i), fmt.Appendf(nil, "%0100d", i)))
		if i%500 == 0 {
			ok(t, db.DeleteRange(siltstone.Prefix(fmt.Appendf(nil, "%08d-", i))))
		}
	}
	ok(t, db.Compact(bg, siltstone.Range{}))
	tables := db.Metrics().Tables.Count
	if tables < 4*limit {
		t.Fatalf("%d tables show nothing", tables)
	}
	open := func() (n int) {
		for _, name := range mem.OpenFiles() {
			if strings.HasSuffix(name, ".sst") {
				n++
			}
		}
		return n
	}
	for _, walk := range []func(siltstone.Range) iter.Seq2[siltstone.KV, error]{db.Scan, db.ScanBack} {
		seen, most := 0, 0
		for _, err := range walk(siltstone.Range{}) {
			ok(t, err)
			if seen++; seen%50 == 0 {
				ok(t, db.Step())
				most = max(most, open())
			}
		}
		if seen != keys {
			t.Errorf("the walk finds %d keys of %d", seen, keys)
		}
		if most > limit+2 {
			t.Errorf("%d of %d tables were open at once, the limit is %d", most, tables, limit)
		}
	}
	ok(t, db.Step())
	if n := open(); n > limit {
		t.Errorf("%d tables are open afterwards", n)
	}
	ok(t, db.Close())
	o.ReadOnly = true
	o.Extreme(siltstone.Extremes{}) // with its worker: no flush or merge makes it look
	db, err = siltstone.Open("db", &o)
	ok(t, err)
	for i := range keys {
		_, err := db.Has(fmt.Appendf(nil, "%08d", i))
		ok(t, err)
	}
	for open() > limit { // for ever, if nobody closes them
		time.Sleep(time.Millisecond)
	}
}

// TestATransactionThatIsTooLargeIsRefused fills a transaction up to the limit, and
// looks at what the store says that it holds meanwhile.
func TestATransactionThatIsTooLargeIsRefused(t *testing.T) {
	const limit = 4 << 20
	s := newStore(t, func(o *siltstone.Options) { o.MaxTxBytes = limit })
	before := s.DB.Metrics().Memory
	value := make([]byte, 1000)
	ok(t, s.DB.Update(bg, func(tx *siltstone.Tx) error {
		n, err := 0, error(nil)
		for ; err == nil; n++ {
			if err = tx.Put(fmt.Appendf(nil, "%08d", n), value); err == nil && n == 3000 {
				_, err = tx.Set("s").Add("member")
			}
		}
		if !errors.Is(err, siltstone.ErrTxTooLarge) || !strings.Contains(err.Error(), fmt.Sprint(limit)) {
			t.Errorf("after %d puts: %v", n, err)
		}
		if n*len(value) < limit*3/4 {
			t.Errorf("%d puts of %d bytes are too large already", n, len(value))
		}
		now := s.DB.Metrics().Memory
		if d := now.Transactions - before.Transactions; d < limit {
			t.Errorf("the metrics say that a transaction of %d bytes holds %d", limit, d)
		}
		if _, err := tx.Hash("h").Remove("f"); err != nil {
			t.Error(err)
		}
		return nil // what was refused has changed nothing: the rest commits
	}))
	if now := s.DB.Metrics().Memory; now.Transactions != before.Transactions {
		t.Errorf("%d bytes of transactions, %d before", now.Transactions, before.Transactions)
	}
	if yes, err := s.DB.Has([]byte("00003000")); err != nil || !yes {
		t.Errorf("the puts before the refusal: %v, %v", yes, err)
	}
}

func TestAMemtableLargerThanTheMemoryIsRefused(t *testing.T) {
	for _, o := range []siltstone.Options{
		{MemoryLimit: 8 << 20, MemtableBytes: 8<<20 + 1},
		{MemtableBytes: 512 << 20},
	} {
		o.FS = vfs.NewMem()
		if db, err := siltstone.Open("db", &o); err == nil || !strings.Contains(err.Error(), "MemtableBytes") {
			t.Errorf("a memtable of %d bytes in %d: %v, %v", o.MemtableBytes, o.MemoryLimit, db, err)
		}
	}
}

// TestADamagedTableFreezesItsRangeOnly damages a table of the last level, or one
// above it, and writes on: all but what needs that table is merged, and only one
// merge fails.
func TestADamagedTableFreezesItsRangeOnly(t *testing.T) {
	t.Parallel()
	for _, last := range []bool{true, false} {
		f, failed := vfstest.NewFaults(vfs.NewMem()), 0
		var alarms strings.Builder
		o := siltstone.Options{FS: f, MemoryLimit: 8 << 20, Compression: siltstone.NoCompression, OnEvent: func(e event.Event) {
			if e, ok := e.(event.CompactionEnd); ok && e.Err != nil {
				failed++
			}
		}}
		o.Logger = slog.New(slog.NewTextHandler(&alarms, &slog.HandlerOptions{Level: slog.LevelWarn}))
		o.Extreme(siltstone.Extremes{BlockSize: 1 << 10, TableBytes: 16 << 10, RunLimit: 3, ManualWork: true})
		db, err := siltstone.Open("db", &o)
		ok(t, err)
		round := 0
		load := func() {
			for i := range 300 {
				ok(t, db.Put(fmt.Appendf(nil, "%06d", (i*7919+round*31)%20000), make([]byte, 100)))
			}
			round++
			ok(t, db.Flush(bg))
		}
		for range 20 {
			load()
		}
		if last {
			ok(t, db.Compact(bg, siltstone.Range{}))
		}
		names, err := f.List("db")
		ok(t, err)
		names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".sst") })
		name := "db/" + names[len(names)-1]
		if last {
			name = "db/" + names[len(names)/2]
		}
		f.Inject(vfstest.Fault{Match: func(op vfstest.Op) bool {
			return op.Kind == vfstest.Read && op.Name == name && op.Off < 8<<10
		}, Effect: vfstest.Damaged, Times: vfstest.Forever})
		for range 40 {
			load()
			if db.Step() != nil { // what cannot be done is set aside
				ok(t, db.Step())
			}
		}
		m := db.Metrics()
		t.Logf("last level %v: %d runs, %d merges, %d failed, %d frozen", last, len(m.Runs), m.Compactions.Merges, failed, m.Troubles.Frozen)
		if len(m.Runs) > 12 {
			t.Errorf("last level %v: %d runs", last, len(m.Runs))
		}
		if m.Troubles.Frozen != 1 || failed != 1 {
			t.Errorf("last level %v: %d tables are frozen, %d merges failed", last, m.Troubles.Frozen, failed)
		}
		if err := db.Compact(bg, siltstone.Range{}); !errors.Is(err, siltstone.ErrCorruption) {
			t.Errorf("last level %v: Compact of a damaged store says %v", last, err)
		}
		// Compact met it again; the alarm was for the first time.
		if got := alarms.String(); failed != 2 || strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, `level=ERROR msg="damage found"`) {
			t.Errorf("last level %v: %d merges failed, logged\n%s", last, failed, got)
		}
		f.Clear()
		_ = db.Close()
	}
}

// readCount is a file system that counts the bytes that are read.
func readCount() (vfs.FS, *atomic.Int64) {
	f, read := vfstest.NewFaults(vfs.NewMem()), new(atomic.Int64)
	f.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Read {
			read.Add(int64(op.Len))
		}
	})
	return f, read
}

// openStill opens a store that does nothing by itself.
func openStill(t *testing.T, fs vfs.FS, o siltstone.Options) *siltstone.DB {
	t.Helper()
	o.FS = fs
	o.Extreme(siltstone.Extremes{ManualWork: true})
	db, err := siltstone.Open("db", &o)
	ok(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestAValueNextDoorIsNotRead asks for what lies beside large values, and for their
// keys alone. A short separator parts some of the keys, and none others.
func TestAValueNextDoorIsNotRead(t *testing.T) {
	t.Parallel()
	const large = 4 << 20
	o := siltstone.Options{MemoryLimit: 8 << 20}
	fs, read := readCount()
	db := openStill(t, fs, o)
	value := incompressible(large)
	for _, key := range []string{"b0001", "b0002", "b0003", "d"} {
		ok(t, db.Put([]byte(key+"-"), []byte("small")))
		ok(t, db.Put([]byte(key), value))
	}
	_, err := db.Hash("h").Set("f", value)
	ok(t, err)
	ok(t, db.Compact(bg, siltstone.Range{}))
	ok(t, db.Close())
	db = openStill(t, fs, o)
	scan := func(lo, hi string) func() any {
		return func() any {
			n, r := 0, siltstone.Range{Lower: []byte(lo), Upper: []byte(hi)}
			for _, err := range db.Scan(r) {
				ok(t, err)
				n++
			}
			for _, err := range db.ScanBack(r) {
				ok(t, err)
				n++
			}
			return n
		}
	}
	key := []byte("b0002")
	has := func(s interface{ Has([]byte) (bool, error) }) bool {
		yes, err := s.Has(key)
		ok(t, err)
		return yes
	}
	for _, c := range []struct {
		what string
		want any
		ask  func() any
	}{
		{"an empty scan", 0, scan("a", "b")},
		{"an empty scan up to a value", 0, scan("b0002-\x00", "b0003")},
		{"a scan between values", 2, scan("b0001\x00", "b0002")},
		{"a scan behind a value", 2, scan("d\x00", "d-\x00")},
		{"a walk of all keys", 9, func() any { return keysOf(t, db) }},
		{"Has", true, func() any { return has(db) }},
		{"TTL", siltstone.NoTTL, func() any { d, err := db.TTL(key); ok(t, err); return d }},
		{"Has in a snapshot", true, func() any {
			s, err := db.NewSnapshot()
			ok(t, err)
			defer s.Close()
			return has(s)
		}},
		{"Has in a transaction", true, func() any {
			found := false
			ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
				found = has(tx)
				return db.Put([]byte("a"), nil) // so that the commit asks for the key again
			}))
			return found
		}},
		{"Exists", 2, func() any { n, err := db.Keys().Exists("b0002", "h"); ok(t, err); return n }},
		{"the look for timers", nil, func() any { ok(t, db.Step()); return nil }},
	} {
		before := read.Load()
		if got := c.ask(); got != c.want {
			t.Errorf("%s finds %v, want %v", c.what, got, c.want)
		}
		if n := read.Load() - before; n > large/4 {
			t.Errorf("%s reads %d bytes", c.what, n)
		}
	}
	got, err := db.Get(key)
	ok(t, err)
	if string(got) != string(value) {
		t.Error("the value is another one")
	}
	ok(t, db.Check(bg))
}

// keysOf returns how many keys a walk of keys alone finds.
func keysOf(t *testing.T, db *siltstone.DB) (n int) {
	t.Helper()
	it, err := db.NewIter(&siltstone.IterOptions{KeysOnly: true})
	ok(t, err)
	for more := it.First(); more; more = it.Next() {
		n++
	}
	ok(t, it.Close())
	return n
}

// NoTTL is what TTL returns of a key that does not expire. Given back, to whatever
// call, it means the same: so a key is copied with its time to live.
func TestNoTTLGivenBackMeansNone(t *testing.T) {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	ok(t, err)
	ks, err := db.CreateKeyspace("ks")
	ok(t, err)
	ok(t, db.Put([]byte("from"), nil))
	ttl, err := db.TTL([]byte("from"))
	if err != nil || ttl != siltstone.NoTTL {
		t.Fatal(ttl, err)
	}
	var b siltstone.Batch
	b.PutTTL([]byte("Batch.PutTTL"), nil, ttl)
	b.PutTTL([]byte("short"), nil, time.Hour)
	b.Put([]byte("Expire"), nil)
	for op, err := range b.Ops() {
		if err != nil || op.TTL != 0 && string(op.Key) != "short" {
			t.Errorf("%s: TTL %v, %v", op.Key, op.TTL, err)
		}
	}
	ok(t, db.Apply(&b, siltstone.DefaultDurability))
	ok(t, db.PutTTL([]byte("PutTTL"), nil, ttl))
	ok(t, db.Expire([]byte("Expire"), ttl))
	ok(t, ks.PutTTL([]byte("Keyspace.PutTTL"), nil, ttl))
	ok(t, db.Update(bg, func(tx *siltstone.Tx) error { return tx.PutTTL([]byte("Tx.PutTTL"), nil, ttl) }))
	for _, k := range []string{"Batch.PutTTL", "PutTTL", "Expire", "Tx.PutTTL", "Keyspace.PutTTL"} {
		get, key := db.TTL, db.Key(k)
		if k == "Keyspace.PutTTL" {
			get, key = ks.TTL, ks.Key(k)
		}
		if got, err := get([]byte(k)); err != nil || got != siltstone.NoTTL {
			t.Errorf("%s: TTL is %v, %v", k, got, err)
		}
		if d, err := key.Deadline(); err != nil || !d.IsZero() {
			t.Errorf("%s: deadline %v, %v", k, d, err)
		}
	}
	if got, err := db.TTL([]byte("short")); err != nil || got > time.Hour || got <= 0 {
		t.Errorf("beside a key without: TTL is %v, %v", got, err)
	}
	ok(t, db.Close())
}

func TestNilsAndLevelsThatDoNotExistAreRefused(t *testing.T) {
	mem := vfs.NewMem()
	db, err := siltstone.Open("db", &siltstone.Options{FS: mem})
	ok(t, err)
	ks, err := db.CreateKeyspace("ks")
	ok(t, err)
	var none context.Context
	var b siltstone.Batch
	b.Put([]byte("k"), nil)
	nothing := func(*siltstone.Tx) error { return nil }
	put := func(tx *siltstone.Tx) error {
		tx.SetDurability(77)
		tx.OnCommit(nil)
		return tx.Put([]byte("k"), nil)
	}
	for name, call := range map[string]func() error{
		"Apply(nil)":   func() error { return db.Apply(nil, siltstone.DefaultDurability) },
		"Apply(b, 77)": func() error { return db.Apply(&b, 77) },
		"PutDurability(77)": func() error {
			return errors.Join(db.PutDurability([]byte("k"), nil, 77), ks.PutDurability([]byte("k"), nil, 77))
		},
		"SetDurability(77)":  func() error { return db.Update(bg, put) },
		"Begin(ctx, 0)":      func() error { _, err := db.Begin(bg, 0); return err },
		"Begin(ctx, 3)":      func() error { _, err := db.Begin(bg, 3); return err },
		"Begin(nil)":         func() error { _, err := db.Begin(none, siltstone.ReadOnlyMode); return err },
		"View(nil, fn)":      func() error { return db.View(none, nothing) },
		"View(ctx, nil)":     func() error { return db.View(bg, nil) },
		"Update(nil, fn)":    func() error { return db.Update(none, nothing) },
		"Update(ctx, nil)":   func() error { return db.Update(bg, nil) },
		"Flush":              func() error { return db.Flush(none) },
		"Compact":            func() error { return db.Compact(none, siltstone.Range{}) },
		"Keyspace.Compact":   func() error { return ks.Compact(none, siltstone.Range{}) },
		"Check":              func() error { return db.Check(none) },
		"Checkpoint":         func() error { return db.Checkpoint(none, "copy") },
		"Backup":             func() error { _, err := db.Backup(none, io.Discard, nil); return err },
		"Backup(nil writer)": func() error { _, err := db.Backup(bg, nil, nil); return err },
		"Backup(rate)": func() error {
			_, err := db.Backup(bg, io.Discard, &siltstone.BackupOptions{BytesPerSecond: -1})
			return err
		},
		"Restore(nil context)": func() error {
			_, err := siltstone.Restore(none, "restored", &siltstone.Options{FS: mem}, strings.NewReader(""))
			return err
		},
		"Restore of nothing": func() error {
			_, err := siltstone.Restore(bg, "restored", &siltstone.Options{FS: mem})
			return err
		},
		"Restore(nil reader)": func() error {
			_, err := siltstone.Restore(bg, "restored", &siltstone.Options{FS: mem}, nil)
			return err
		},
		"VerifyBackup of nothing": func() error { _, err := siltstone.VerifyBackup(bg); return err },
		"VerifyBackup(nil)":       func() error { _, err := siltstone.VerifyBackup(none, strings.NewReader("")); return err },
		"Repair(nil context)": func() error {
			_, err := siltstone.Repair(none, "db", "mended", &siltstone.Options{FS: mem})
			return err
		},
	} {
		if err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if has, err := db.Has([]byte("k")); has || err != nil {
		t.Error("what was refused has changed something", err)
	}
	ok(t, db.Update(bg, func(tx *siltstone.Tx) error { tx.OnCommit(nil); return nil }))
	ok(t, db.Close())
}
