package siltstone_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/typed/typedtest"
)

// TestRenameThenPutOverOldNameKeepsElements: the row left behind under the old
// name carries the id of a collection that lives on under the new one.
func TestRenameThenPutOverOldNameKeepsElements(t *testing.T) {
	typedtest.InEveryForm(t, renameThenPutOverOldNameKeepsElements)
}

func renameThenPutOverOldNameKeepsElements(t *testing.T) {
	for name, over := range map[string]func(s *testStore) error{
		"Put":         func(s *testStore) error { return s.Put([]byte("a"), []byte("x")) },
		"Delete":      func(s *testStore) error { return s.Delete([]byte("a")) },
		"DeleteRange": func(s *testStore) error { return s.DeleteRange(rng("a", "b")) },
		"nothing":     func(*testStore) error { return nil },
	} {
		s := newStore(t)
		s.fillHash("a", 100)
		s.compact()
		ok(t, s.Key("a").Rename("b"))
		ok(t, over(s))
		s.flush()
		s.step()
		s.wantHash("b", 100)
		s.compact()
		s.step()
		s.wantHash("b", 100)
		s.reopen()
		s.step()
		s.wantHash("b", 100)
		s.check()
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestSnapshotReadsCollectionWhileReaperRuns: the range tombstone of a dead
// collection is newer than every snapshot that still sees it alive.
func TestSnapshotReadsCollectionWhileReaperRuns(t *testing.T) {
	typedtest.InEveryForm(t, snapshotReadsCollectionWhileReaperRuns)
}

func snapshotReadsCollectionWhileReaperRuns(t *testing.T) {
	for name, end := range map[string]func(s *testStore){
		"Drop":     func(s *testStore) { _, err := s.Key("k").Drop(); ok(s.t, err) },
		"Put":      func(s *testStore) { s.put("k", "x") },
		"recreate": func(s *testStore) { ok(s.t, s.Delete([]byte("k"))); s.fillHash("k", 3) },
		"expiry": func(s *testStore) {
			ok(s.t, s.Expire([]byte("k"), time.Second))
			s.clock.advance(2 * time.Second)
		},
	} {
		s := newStore(t)
		s.fillHash("k", 100)
		s.flush()
		snap, err := s.NewSnapshot()
		ok(t, err)
		end(s)
		for range 3 {
			s.compact()
			s.step()
			n := 0
			for f, err := range snap.Hash("k").All() {
				ok(t, err)
				wantText(t, f.Name, fmt.Sprintf("f%03d", n))
				n++
			}
			if length, err := snap.Hash("k").Len(); n != 100 || length != 100 || err != nil {
				t.Fatalf("%s: the snapshot shows %d fields, counts %d, %v", name, n, length, err)
			}
		}
		s.check()
		snap.Close()
		s.compact()
		s.step()
		s.compact()
		s.check()
		if name == "Drop" {
			if size, err := s.EstimateSize(siltstone.Range{}); size != 0 || err != nil {
				t.Errorf("%d bytes left of a dropped collection, %v", size, err)
			}
		}
	}
}

func TestHashThatShrankAndGrewShowsNoOldField(t *testing.T) {
	typedtest.InEveryForm(t, hashThatShrankAndGrewShowsNoOldField)
}

func hashThatShrankAndGrewShowsNoOldField(t *testing.T) {
	s := newStore(t)
	s.fillHash("k", 200)
	s.compact()
	for i := range 199 {
		_, err := s.Hash("k").Remove(fmt.Sprintf("f%03d", i))
		ok(t, err)
	}
	s.wantHash("k", 1)
	s.step()
	s.fillHash("k", 20)
	s.wantHash("k", 21)
	_, err := s.Key("k").Drop()
	ok(t, err)
	s.fillHash("k", 2)
	s.wantHash("k", 2)
	s.step()
	s.wantHash("k", 2)
	s.compact()
	s.wantHash("k", 2)
	s.reopen()
	s.wantHash("k", 2)
	s.check()
}

// TestOneDeleteOfTenMillionElementsReturnsTheDisk: one record says that most of
// the store is garbage. By default there are fewer elements. Typed calls tell
// the store what they ended; a blind write is understood by the merge that meets
// what it hides.
func TestOneDeleteOfTenMillionElementsReturnsTheDisk(t *testing.T) {
	n := 100_000
	switch {
	case *huge:
		n = 10_000_000
	case testing.Short():
		n = 20_000
	}
	for _, c := range []struct {
		name  string
		end   func(s *testStore) error
		merge func(s *testStore)
	}{
		{"Drop", func(s *testStore) error { _, err := s.Key("big").Drop(); return err }, (*testStore).step},
		{"expiry", func(s *testStore) error {
			defer s.clock.advance(2 * time.Hour)
			return s.Expire([]byte("big"), time.Hour)
		}, (*testStore).step},
		{"Put", func(s *testStore) error { return s.Put([]byte("big"), []byte("x")) }, (*testStore).compact},
		{"DeleteRange", func(s *testStore) error { return s.DeleteRange(rng("b", "c")) }, (*testStore).compact},
	} {
		s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 1 << 20 })
		s.put("small", "kept")
		fields := make([]typed.Field, 0, 10_000)
		for i := 0; i < n; i += cap(fields) {
			fields = fields[:0]
			for j := range cap(fields) {
				fields = append(fields, typed.Field{Name: fmt.Sprintf("field %08d", i+j), Value: []byte("value")})
			}
			_, err := s.Hash("big").SetMany(fields...)
			ok(t, err)
		}
		s.step()
		full := s.diskBytes()
		ok(t, c.end(s))
		s.flush()
		c.merge(s)
		for range 2 { // the verdict, then its effect
			s.step()
			s.flush()
		}
		s.step()
		if left := s.diskBytes(); left > full/20 {
			t.Errorf("%s: %d of %d bytes are still on disk", c.name, left, full)
		}
		wantText(t, get(s, "small"), "kept")
		s.check()
	}
}

// diskBytes is the size of all table files.
func (s *testStore) diskBytes() (n int64) {
	s.t.Helper()
	names, err := s.fs.List("db")
	ok(s.t, err)
	for _, name := range names {
		if len(name) > 4 && name[len(name)-4:] == ".sst" {
			st, err := s.fs.Stat("db/" + name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a merge removed it since
			}
			ok(s.t, err)
			n += st.Size()
		}
	}
	return n
}

// TestMemberThatLooksLikeAScoreRow: any bytes are a member, those of another
// member's score row too.
func TestMemberThatLooksLikeAScoreRow(t *testing.T) {
	s := newStore(t)
	z := s.ZSet("z")
	ordered := binary.BigEndian.AppendUint64(nil, math.Float64bits(1)|1<<63)
	members := []string{
		"a", string(ordered) + "a", "", "\x00", "\x01", "\x02", "\x03" + string(ordered) + "a", "\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	}
	for i, m := range members {
		_, err := z.Add(m, float64(i%2))
		ok(t, err)
	}
	for range 2 {
		for i, m := range members {
			if score, err := z.Score(m); score != float64(i%2) || err != nil {
				t.Errorf("score of %q is %v, %v", m, score, err)
			}
		}
		s.check()
		s.compact()
	}
	for i, m := range members {
		_, err := z.Remove(m)
		ok(t, err)
		if n, err := z.Len(); int(n) != len(members)-i-1 || err != nil {
			t.Errorf("%d members after removing %q, %v", n, m, err)
		}
		s.check()
	}
	wantText(t, list(s, siltstone.Range{}), "")
}
