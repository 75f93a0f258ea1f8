package raftstore

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
	raftbench "github.com/hashicorp/raft/bench"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

func openLog(t testing.TB, dir string, fs vfs.FS) *LogStore {
	t.Helper()
	s, err := OpenLogStore(dir, &siltstone.Options{FS: fs, MemoryLimit: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// entryOf returns the entry of index that a test stores in a round.
func entryOf(index, round uint64) *raft.Log {
	return &raft.Log{Index: index, Term: round, Data: fmt.Appendf(nil, "%d of round %d", index, round)}
}

func entriesOf(from, to, round uint64) (logs []*raft.Log) {
	for i := from; i <= to; i++ {
		logs = append(logs, entryOf(i, round))
	}
	return logs
}

// wantLog checks that the log has the entries from first to last and no others.
func wantLog(t *testing.T, s *LogStore, first, last uint64) {
	t.Helper()
	gotFirst, _ := s.FirstIndex()
	gotLast, _ := s.LastIndex()
	if gotFirst != first || gotLast != last {
		t.Errorf("the log is from %d to %d, want %d to %d", gotFirst, gotLast, first, last)
	}
	var l raft.Log
	for i := first; i <= last && i > 0; i++ {
		if err := s.GetLog(i, &l); err != nil || l.Index != i {
			t.Errorf("entry %d: %+v, %v", i, l, err)
		}
	}
	for _, i := range []uint64{first - 1, last + 1} {
		if err := s.GetLog(i, &l); !errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("entry %d: %+v, %v", i, l, err)
		}
	}
}

func TestTheLogKeepsItsEndsOverAReopen(t *testing.T) {
	fs := vfs.NewMem()
	for _, c := range []struct {
		name        string
		do          func(*LogStore) error
		first, last uint64
		err         error
	}{
		{"empty", func(s *LogStore) error { return nil }, 0, 0, nil},
		{"delete in an empty log", func(s *LogStore) error { return s.DeleteRange(1, 9) }, 0, 0, nil},
		{"the first entry has any index", func(s *LogStore) error { return s.StoreLogs(entriesOf(300, 310, 1)) }, 300, 310, nil},
		{"the next", func(s *LogStore) error { return s.StoreLog(entryOf(311, 1)) }, 300, 311, nil},
		{"a gap", func(s *LogStore) error { return s.StoreLog(entryOf(313, 1)) }, 300, 311, ErrNotContiguous},
		{"an overwritten entry", func(s *LogStore) error { return s.StoreLog(entryOf(311, 1)) }, 300, 311, ErrNotContiguous},
		{"a gap inside", func(s *LogStore) error { return s.StoreLogs([]*raft.Log{entryOf(312, 1), entryOf(314, 1)}) }, 300, 311, ErrNotContiguous},
		{"the front", func(s *LogStore) error { return s.DeleteRange(300, 302) }, 303, 311, nil},
		{"the front, from below", func(s *LogStore) error { return s.DeleteRange(1, 304) }, 305, 311, nil},
		{"what is not there", func(s *LogStore) error { return s.DeleteRange(1, 304) }, 305, 311, nil},
		{"the middle", func(s *LogStore) error { return s.DeleteRange(306, 307) }, 305, 311, ErrNotContiguous},
		{"the end", func(s *LogStore) error { return s.DeleteRange(310, 311) }, 305, 309, nil},
		{"the end again", func(s *LogStore) error { return s.StoreLogs(entriesOf(310, 312, 2)) }, 305, 312, nil},
		{"nothing", func(s *LogStore) error { return s.StoreLogs(nil) }, 305, 312, nil},
		{"everything", func(s *LogStore) error { return s.DeleteRange(0, 1<<64-1) }, 0, 0, nil},
		{"and from far above", func(s *LogStore) error { return s.StoreLogs(entriesOf(9000, 9001, 3)) }, 9000, 9001, nil},
	} {
		s := openLog(t, "log", fs)
		if err := c.do(s); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.name, err)
		}
		wantLog(t, s, c.first, c.last)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openLog(t, "log", fs)
		wantLog(t, s, c.first, c.last)
		if t.Failed() {
			t.Fatal(c.name)
		}
		s.Close()
	}
}

func TestStableValuesAreAsRaftExpectsThem(t *testing.T) {
	fs := vfs.NewMem()
	s := openLog(t, "log", fs)
	if _, err := s.Get([]byte("k")); err == nil || err.Error() != "not found" {
		t.Errorf("a value that is not there: %v", err)
	}
	if _, err := s.GetUint64([]byte("k")); err == nil || err.Error() != "not found" {
		t.Errorf("a number that is not there: %v", err)
	}
	if err := errors.Join(s.Set([]byte("k"), []byte("v")), s.Set([]byte("e"), nil), s.SetUint64([]byte("n"), 1<<63)); err != nil {
		t.Fatal(err)
	}
	if err := s.Set(nil, nil); !errors.Is(err, siltstone.ErrEmptyKey) {
		t.Errorf("an empty key: %v", err)
	}
	s.Close()
	s = openLog(t, "log", fs)
	if v, err := s.Get([]byte("k")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if v, err := s.Get([]byte("e")); len(v) != 0 || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if n, err := s.GetUint64([]byte("n")); n != 1<<63 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := s.GetUint64([]byte("k")); err == nil {
		t.Error("a value of one byte is no number")
	}
}

// TestHostileBytesInTheStoreAreErrors puts what no LogStore writes where it reads.
func TestHostileBytesInTheStoreAreErrors(t *testing.T) {
	for _, c := range []struct {
		name       string
		key, value []byte
	}{
		{"a short key", []byte("short"), nil},
		{"a long key", bytes.Repeat([]byte{0xff}, 9), nil},
	} {
		db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewLogStore(db)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.StoreLogs(entriesOf(5, 7, 1)), s.entries.Put(c.key, c.value)); err != nil {
			t.Fatal(err)
		}
		if _, err := NewLogStore(db); !errors.Is(err, siltstone.ErrCorruption) {
			t.Errorf("%s: %v", c.name, err)
		}
		db.Close()
	}
	s := openLog(t, "log", vfs.NewMem())
	if err := errors.Join(s.StoreLogs(entriesOf(5, 7, 1)), s.entries.Put(entryKey(nil, 6), appendEntry(nil, entryOf(7, 1)))); err != nil {
		t.Fatal(err)
	}
	var l raft.Log
	if err := s.GetLog(6, &l); !errors.Is(err, siltstone.ErrCorruption) {
		t.Errorf("an entry under another's key: %+v, %v", l, err)
	}
}

func TestALogBesideOtherDataLeavesItAlone(t *testing.T) {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Put(entryKey(nil, 1), []byte("other")); err != nil {
		t.Fatal(err)
	}
	s, err := NewLogStore(db)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.StoreLogs(entriesOf(1, 3, 1)), s.DeleteRange(1, 3), s.Close()); err != nil {
		t.Fatal(err)
	}
	if v, err := db.Get(entryKey(nil, 1)); string(v) != "other" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// BenchmarkRaft runs raft's own benchmarks.
func BenchmarkRaft(b *testing.B) {
	for _, c := range []struct {
		name string
		run  func(*testing.B, *LogStore)
	}{
		{"FirstIndex", func(b *testing.B, s *LogStore) { raftbench.FirstIndex(b, s) }},
		{"LastIndex", func(b *testing.B, s *LogStore) { raftbench.LastIndex(b, s) }},
		{"GetLog", func(b *testing.B, s *LogStore) { raftbench.GetLog(b, s) }},
		{"StoreLogs", func(b *testing.B, s *LogStore) { raftbench.StoreLogs(b, s) }},
		{"Set", func(b *testing.B, s *LogStore) { raftbench.Set(b, s) }},
		{"Get", func(b *testing.B, s *LogStore) { raftbench.Get(b, s) }},
		{"SetUint64", func(b *testing.B, s *LogStore) { raftbench.SetUint64(b, s) }},
		{"GetUint64", func(b *testing.B, s *LogStore) { raftbench.GetUint64(b, s) }},
	} {
		b.Run(c.name, func(b *testing.B) { c.run(b, openLog(b, b.TempDir(), vfs.OS)) })
	}
}
