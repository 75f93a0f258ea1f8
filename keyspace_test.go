package siltstone_test

import (
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// spaces prints the names of all keyspaces.
func (s *testStore) spaces() string {
	s.t.Helper()
	names, err := s.Keyspaces()
	ok(s.t, err)
	return strings.Join(names, " ")
}

func TestAKeyspaceHasOneHandle(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"b", "a", "\x00", strings.Repeat("n", siltstone.MaxKeyspaceName)} {
		if ks := s.keyspace(name); ks != s.keyspace(name) || ks.Name() != name {
			t.Errorf("keyspace %q is another the second time, named %q", name, ks.Name())
		}
	}
}

func TestBatchWritesIntoManyKeyspacesAtOnce(t *testing.T) {
	s := newStore(t)
	var b siltstone.Batch
	var views []*siltstone.Batch
	for i := range 50 {
		views = append(views, b.In(s.keyspace(fmt.Sprintf("ks%02d", 49-i))))
	}
	for range 2 {
		for i, v := range views {
			v.Put([]byte("k"), fmt.Append(nil, i))
			v.Put([]byte("gone"), nil)
			v.In(nil).Put(fmt.Append(nil, "k", i), nil)
			v.DeleteRange(rng("g", "h"))
			v.PutTTL([]byte("short"), nil, time.Second)
		}
		if n := views[7].Len(); n != 250 || b.Len() != n || views[3].Size() != b.Size() {
			t.Errorf("%d operations, or %d", n, b.Len())
		}
		var first []string
		for op, err := range views[9].Ops() {
			ok(t, err)
			if first = append(first, fmt.Sprintf("%v %s/%s%s..%s %v", op.Kind, op.Keyspace, op.Key, op.Range.Lower, op.Range.Upper, op.TTL)); len(first) == 5 {
				break
			}
		}
		wantText(t, strings.Join(first, ","), "1 ks49/k.. 0s,1 ks49/gone.. 0s,1 /k0.. 0s,3 ks49/g..h 0s,1 ks49/short.. 1s")
		ok(t, s.Apply(&b, siltstone.DefaultDurability))
		for i := range views {
			wantText(t, list(s.keyspace(fmt.Sprintf("ks%02d", 49-i)), siltstone.Range{}), fmt.Sprintf("k=%d short=", i))
		}
		if got := list(s, siltstone.Range{}); strings.Count(got, "k") != 50 || strings.Contains(got, "short") {
			t.Errorf("the default keyspace holds %s", got)
		}
		s.compact()
		views[0].Reset()
	}
	views[0].Put(nil, nil)
	wantErr(t, b.Err(), siltstone.ErrEmptyKey)
	wantErr(t, s.Apply(views[1], siltstone.DefaultDurability), siltstone.ErrEmptyKey)
	var whole siltstone.Batch
	whole.In(s.keyspace("ks00")).DeleteRange(siltstone.Range{})
	for op, err := range whole.Ops() {
		ok(t, err)
		if op.Keyspace != "ks00" || op.Range.Lower != nil || op.Range.Upper != nil {
			t.Errorf("all keys come back as %+v", op)
		}
	}
}

func TestKeyspaceOfAnotherStoreIsAnErrorAndNeverAPanic(t *testing.T) {
	s, other := newStore(t), newStore(t)
	foreign, own := other.keyspace("ks"), s.keyspace("ks")
	putAll(t, own, "k", "own")
	tx := s.begin()
	snap, err := s.NewSnapshot()
	ok(t, err)
	defer snap.Close()
	for _, r := range []siltstone.Reader{tx.In(foreign), snap.In(foreign)} {
		if _, err := r.Get([]byte("k")); err == nil || !strings.Contains(err.Error(), "another store") {
			t.Errorf("%T: %v", r, err)
		}
	}
	if err := tx.In(foreign).Put([]byte("k"), nil); err == nil {
		t.Error("a foreign keyspace takes a write")
	}
	if _, err := tx.In(foreign).Hash("h").Set("f", nil); err == nil {
		t.Error("a foreign keyspace takes a field")
	}
	ok(t, tx.In(own).Put([]byte("k"), []byte("still usable")))
	ok(t, tx.Commit())
	for _, fill := range []func(b *siltstone.Batch){
		func(b *siltstone.Batch) { b.In(foreign).Put([]byte("k"), nil) },
		func(b *siltstone.Batch) { b.In(foreign).Put([]byte("k"), nil); b.In(own).Put([]byte("k"), nil) },
		func(b *siltstone.Batch) {
			b.In(own).Put([]byte("k"), nil)
			b.In(foreign).DeleteRange(siltstone.Range{})
		},
	} {
		var b siltstone.Batch
		fill(&b)
		if err := s.Apply(&b, siltstone.DefaultDurability); err == nil {
			t.Error("a batch writes into a foreign keyspace")
		}
	}
	wantText(t, list(own, siltstone.Range{}), "k=still usable")
}

// TestDroppedKeyspaceGivesItsDiskBack leaves everything to the workers, while a
// snapshot reads the keyspace to the end, and beside one that stays.
func TestDroppedKeyspaceGivesItsDiskBack(t *testing.T) {
	t.Parallel() // it waits most of the time
	if testing.Short() {
		t.Skip("waits for the store to be idle")
	}
	for name, drop := range map[string]func(s *testStore) error{
		"DropKeyspace": func(s *testStore) error { return s.DropKeyspace("big") },
		"DropAll":      func(s *testStore) error { return s.DropAll() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, func(o *siltstone.Options) {
				o.MemtableBytes, o.MemoryLimit, o.Clock = 1<<20, 16<<20, nil
				o.Extreme(siltstone.Extremes{})
			})
			before, big, behind := s.keyspace("before"), s.keyspace("big"), s.keyspace("behind")
			putAll(t, before, "k", "1")
			putAll(t, behind, "k", "2")
			n := keysToDrop()
			fillKeys(t, s, big, n)
			fillFields(t, big.Hash("hash"), min(n, 100_000))
			s.flush()
			full := s.diskBytes()
			snap, err := s.NewSnapshot()
			ok(t, err)
			begin := time.Now()
			ok(t, drop(s))
			seen := 0
			for _, err := range snap.In(big).Scan(siltstone.Range{}) {
				ok(t, err)
				seen++
			}
			if seen != n+1 {
				t.Errorf("the snapshot shows %d of %d keys", seen, n+1)
			}
			snap.Close()
			siltstone.Within(func() bool { return s.diskBytes() <= full/50 })
			t.Logf("%d bytes of %d after %v", s.diskBytes(), full, time.Since(begin).Round(time.Millisecond))
			if left := s.diskBytes(); left > full/50 {
				t.Errorf("%d of %d bytes are on disk after a minute", left, full)
			}
			if name == "DropKeyspace" {
				wantText(t, get(before, "k")+get(behind, "k"), "12")
			}
			s.check()
		})
	}
}

func TestManyDroppedKeyspacesLeaveNothing(t *testing.T) {
	typedtest.InEveryForm(t, manyDroppedKeyspacesLeaveNothing)
}

func manyDroppedKeyspacesLeaveNothing(t *testing.T) {
	s := newStore(t, small)
	for round := range 3 {
		for i := range 30 {
			ks := s.keyspace(fmt.Sprint("ks", i))
			putAll(t, ks, "a", "1", "b", "2")
			_, err := ks.ZSet("z").Add("m", 1)
			ok(t, err)
			if i%4 == 0 {
				s.flush()
			}
			if i%3 == 0 {
				ok(t, s.DropKeyspace(ks.Name()))
			}
		}
		s.step()
		s.check()
		if round == 1 {
			s.reopen()
		}
		names, err := s.Keyspaces()
		ok(t, err)
		if len(names) != 20 {
			t.Errorf("%d keyspaces: %q", len(names), names)
		}
	}
	ok(t, s.DropAll())
	s.compact()
	s.step()
	s.flush()
	s.compact()
	if size := s.diskBytes(); size != 0 {
		t.Errorf("%d bytes of tables in an empty store", size)
	}
	s.check()
}

func TestDropAllEmptiesTheStoreAndItGoesOn(t *testing.T) {
	s := newStore(t)
	s.fillHash("h", 100)
	s.put("k", "v")
	ok(t, s.Expire([]byte("h"), time.Minute))
	ks := s.keyspace("ks")
	putAll(t, ks, "k", "v")
	s.flush()
	s.reopen() // "ks" has no handle
	ok(t, s.DropAll())
	for range 2 {
		wantText(t, list(s, siltstone.Range{})+s.spaces(), "")
		if n, err := s.Hash("h").Len(); n != 0 || err != nil {
			t.Errorf("%d fields, %v", n, err)
		}
		s.step()
		s.check()
		s.reopen()
	}
	wantText(t, list(s.keyspace("ks"), siltstone.Range{}), "")
	s.fillHash("h", 3)
	putAll(t, s.keyspace("ks"), "k", "again")
	s.clock.advance(time.Hour) // the timer of the old hash is not the new one's
	s.step()
	s.wantHash("h", 3)
	s.compact()
	s.step()
	wantText(t, get(s.keyspace("ks"), "k"), "again")
	if size := s.diskBytes(); size > 4<<10 {
		t.Errorf("%d bytes of tables", size)
	}
	s.check()
}

// TestTimersAndNominationsOfADroppedKeyspaceAreSettled: what was due there, or
// suspected, comes to nothing.
func TestTimersAndNominationsOfADroppedKeyspaceAreSettled(t *testing.T) {
	typedtest.InEveryForm(t, timersAndNominationsOfADroppedKeyspaceAreSettled)
}

func timersAndNominationsOfADroppedKeyspaceAreSettled(t *testing.T) {
	s := newStore(t, small)
	ks := s.keyspace("ks")
	for i := range 20 {
		_, err := ks.Set(fmt.Sprint("timed", i)).Add("m")
		ok(t, err)
		ok(t, ks.Expire(fmt.Append(nil, "timed", i), time.Minute))
		_, err = ks.Set(fmt.Sprint("ended", i)).Add("m")
		ok(t, err)
	}
	s.flush()
	for i := range 20 {
		_, err := ks.Key(fmt.Sprint("ended", i)).Drop()
		ok(t, err)
	}
	ok(t, s.DropKeyspace("ks"))
	s.clock.advance(time.Hour)
	s.step()
	if n := s.Metrics().Dead.Collections; n != 0 {
		t.Errorf("%d collections are undecided", n)
	}
	s.reopen()
	s.compact()
	s.step()
	if n := s.Metrics().Dead.Collections; n != 0 {
		t.Errorf("%d collections are undecided after reopening", n)
	}
	s.check()
	wantText(t, list(s.keyspace("ks"), siltstone.Range{}), "")
}

// TestDeletedHashOfAKeyspaceGivesItsDiskBack: the rule of dead collections holds
// under a prefix.
func TestDeletedHashOfAKeyspaceGivesItsDiskBack(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	for name, end := range map[string]func(ks *siltstone.Keyspace) error{
		"Drop":        func(ks *siltstone.Keyspace) error { _, err := ks.Key("big").Drop(); return err },
		"Put":         func(ks *siltstone.Keyspace) error { return ks.Put([]byte("big"), nil) },
		"DeleteRange": func(ks *siltstone.Keyspace) error { return ks.DeleteRange(rng("b", "c")) },
	} {
		s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 1 << 20 })
		ks := s.keyspace("ks")
		putAll(t, s.keyspace("beside"), "small", "kept")
		fillFields(t, ks.Hash("big"), n)
		s.step()
		full := s.diskBytes()
		ok(t, end(ks))
		s.compact()
		for range 2 { // the verdict, then its effect
			s.step()
			s.flush()
		}
		s.step()
		if left := s.diskBytes(); left > full/20 {
			t.Errorf("%s: %d of %d bytes are still on disk", name, left, full)
		}
		wantText(t, get(s.keyspace("beside"), "small"), "kept")
		s.check()
	}
}

func fillFields(t testing.TB, h typed.Hash, n int) {
	t.Helper()
	fields := make([]typed.Field, 0, 10_000)
	for i := 0; i < n; i += cap(fields) {
		fields = fields[:0]
		for j := range cap(fields) {
			fields = append(fields, typed.Field{Name: fmt.Sprintf("field %08d", i+j), Value: []byte("value")})
		}
		_, err := h.SetMany(fields...)
		ok(t, err)
	}
}

// fillKeys puts n keys, whatever it takes.
func fillKeys(t testing.TB, s *testStore, ks *siltstone.Keyspace, n int) {
	t.Helper()
	var b siltstone.Batch
	in := b.In(ks)
	for i := range n {
		in.Put(fmt.Appendf(nil, "key %08d", i), []byte("a value of some bytes"))
		if b.Len() == 10_000 || i == n-1 {
			ok(t, s.Apply(&b, siltstone.BufferedDurability))
			b.Reset()
		}
	}
}

// keysToDrop is how many keys a keyspace has before it is dropped.
func keysToDrop() int {
	switch {
	case *long:
		return 1_000_000
	case testing.Short():
		return 20_000
	}
	return 100_000
}

// appendedTo counts the bytes written to logs and manifests.
type appendedTo struct {
	vfs.FS
	bytes int64
}

func (f *appendedTo) Create(name string) (vfs.File, error) { return f.count(name)(f.FS.Create(name)) }
func (f *appendedTo) OpenWrite(name string) (vfs.File, error) {
	return f.count(name)(f.FS.OpenWrite(name))
}

func (f *appendedTo) count(name string) func(vfs.File, error) (vfs.File, error) {
	return func(file vfs.File, err error) (vfs.File, error) {
		if err != nil || path.Ext(name) == ".sst" {
			return file, err
		}
		return &countedFile{file, f}, nil
	}
}

type countedFile struct {
	vfs.File
	in *appendedTo
}

func (f *countedFile) Write(b []byte) (int, error) {
	f.in.bytes += int64(len(b))
	return f.File.Write(b)
}

func TestDroppingAKeyspaceOfAMillionKeysWritesAtMost512Bytes(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	name := strings.Repeat("n", siltstone.MaxKeyspaceName)
	for what, drop := range map[string]func(s *testStore) error{
		"DropKeyspace": func(s *testStore) error { return s.DropKeyspace(name) },
		"DropAll":      func(s *testStore) error { return s.DropAll() },
	} {
		count := &appendedTo{}
		s := newStore(t, func(o *siltstone.Options) {
			o.MemtableBytes = 4 << 20
			count.FS = o.FS
			o.FS = count
		})
		ks := s.keyspace(name)
		fillKeys(t, s, ks, keysToDrop())
		fillFields(t, ks.Hash("hash"), min(keysToDrop(), 100_000))
		s.step()
		ok(t, s.Sync())
		before := count.bytes
		ok(t, drop(s))
		ok(t, s.Sync())
		written := count.bytes - before
		t.Logf("%s: %d bytes", what, written)
		if written == 0 || written > 512 {
			t.Errorf("%s wrote %d bytes to log and manifest", what, written)
		}
	}
}

func TestSizeAndCompactionAreAKeyspacesOwn(t *testing.T) {
	t.Parallel()
	s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 1 << 20 })
	big, little := s.keyspace("big"), s.keyspace("little")
	fillKeys(t, s, big, 20_000)
	fillFields(t, big.Hash("hash"), 20_000)
	putAll(t, little, "k", "v")
	s.flush()
	size := func(a interface {
		EstimateSize(siltstone.Range) (int64, error)
	}, r siltstone.Range) int64 {
		n, err := a.EstimateSize(r)
		ok(t, err)
		return n
	}
	all, disk := size(big, siltstone.Range{}), s.diskBytes()
	if all < disk*8/10 || all > disk {
		t.Errorf("all keys take %d of %d bytes", all, disk)
	}
	if half := size(big, rng("key", "key 00010000")); half < all/8 || half > all/2 {
		t.Errorf("half of the keys take %d of %d bytes", half, all)
	}
	if n := size(s.DB, siltstone.Range{}); n != 0 {
		t.Errorf("the default keyspace takes %d bytes", n)
	}
	if n := size(little, siltstone.Range{}); n > 4<<10 {
		t.Errorf("one key takes %d bytes", n)
	}
	ok(t, big.DeleteRange(siltstone.Range{}))
	ok(t, big.Compact(bg, siltstone.Range{}))
	if left := size(big, siltstone.Range{}); left != 0 {
		t.Errorf("%d of %d bytes are left behind a compaction", left, all)
	}
	wantErr(t, big.Compact(bg, rng("b", "a")), siltstone.ErrBadRange)
	wantText(t, get(little, "k"), "v")
}

func (s *testStore) fillHash(name string, n int) {
	s.t.Helper()
	for i := range n {
		_, err := s.Hash(name).Set(fmt.Sprintf("f%03d", i), []byte("v"))
		ok(s.t, err)
	}
}

func (s *testStore) wantHash(name string, n int) {
	s.t.Helper()
	if got, err := s.Hash(name).Len(); got != int64(n) || err != nil {
		s.t.Errorf("%s has %d fields, %v; want %d", name, got, err, n)
	}
	seen := 0
	for _, err := range s.Hash(name).All() {
		ok(s.t, err)
		seen++
	}
	if seen != n {
		s.t.Errorf("%s shows %d fields, want %d", name, seen, n)
	}
}
