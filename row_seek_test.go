package siltstone

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// rowsOver returns an iterator over all rows of db, as they are now.
func rowsOver(t testing.TB, db *DB) *rows.Iter {
	t.Helper()
	rs := db.states.Hold()
	it, err := rows.New(db.rows, rows.View{State: rs, Seq: db.section.Visible(), Now: db.clock.Now()}, nil, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { it.Release(); db.states.Drop(rs) })
	return it
}

// stretchStore has keys k000 to k199, written from the last to the first, in one
// block of a table.
func stretchStore(t testing.TB) *DB {
	t.Helper()
	db := mustOpen(t, vfstest.NewDisk(1), newHandClock(), func(o *Options) { o.blockSize = 16 << 10 })
	t.Cleanup(func() { db.Close() })
	old, err := db.NewSnapshot() // so that sequences are kept
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { old.Close() })
	for i := 199; i >= 0; i-- {
		putAt(t, db, Buffered, fmt.Sprintf("k%03d", i), fmt.Sprint("value ", i))
	}
	if err := db.Flush(bg); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestFirstMoveBehindASeekEntersTheStretch(t *testing.T) {
	it := rowsOver(t, stretchStore(t))
	for _, i := range []int{20, 150, 3} {
		if !it.SeekGE(keyenc.AppendNameRow(nil, nil, fmt.Sprintf("k%03d", i))) || it.InBlock(false) {
			t.Fatal("a seek looks for a stretch, which may not be walked")
		}
		if !it.Next() || !it.InBlock(false) {
			t.Fatalf("the move behind the seek to %d is no stride", i)
		}
		if want := fmt.Sprintf("k%03d", i+1); string(it.Key()[1:]) != want || string(it.Value()) != fmt.Sprint("value ", i+1) {
			t.Fatalf("%s with value %s, want %s", it.Key()[1:], it.Value(), want)
		}
	}
}

func TestEveryRowOfAStretchHasItsOwnSequence(t *testing.T) {
	it := rowsOver(t, stretchStore(t))
	strides := 0
	var last base.SeqNum
	for ok := it.First(); ok; ok = it.Next() {
		if seq := it.Trailer().Seq; last != 0 && seq >= last {
			t.Fatalf("%s has sequence %d, the older one before it %d", it.Key(), seq, last)
		} else {
			last = seq
		}
		if it.InBlock(false) {
			strides++
		}
	}
	if strides < 150 {
		t.Fatalf("only %d rows were reached by strides", strides)
	}
}

func TestSeekInAnOldViewStepsOverWhatIsNewer(t *testing.T) {
	db := stretchStore(t)
	old, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	for i := range 200 {
		putAt(t, db, Buffered, fmt.Sprintf("k%03d+", i), "new")
	}
	if err := db.Compact(bg, Range{}); err != nil {
		t.Fatal(err)
	}
	it, err := old.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for i := range 190 {
		ok := it.SeekGE(fmt.Appendf(nil, "k%03d", i))
		for j := range 8 {
			if want := fmt.Sprintf("k%03d", i+j); !ok || string(it.Key()) != want {
				t.Fatalf("%s stands where %s should", it.Key(), want)
			}
			ok = it.Next()
		}
	}
}

func TestWhatIsNewerIsSeenRightBehindASeek(t *testing.T) {
	db := stretchStore(t)
	putAt(t, db, Buffered, "k020+", "new")
	putAt(t, db, Buffered, "k040", "changed")
	if err := db.Delete([]byte("k060")); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteRange(Range{[]byte("k100"), []byte("k103")}); err != nil {
		t.Fatal(err)
	}
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for _, c := range [][3]string{
		{"k020", "k020+", "new"},
		{"k039", "k040", "changed"},
		{"k059", "k061", "value 61"},
		{"k099", "k103", "value 103"},
		{"k120", "k121", "value 121"},
	} {
		if !it.SeekGE([]byte(c[0])) || !it.Next() || string(it.Key()) != c[1] || string(it.Value()) != c[2] {
			t.Errorf("behind %s stands %s with %s, want %s with %s", c[0], it.Key(), it.Value(), c[1], c[2])
		}
	}
}
