package siltstone

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// readStore is a store without workers whose compactions are written down.
type readStore struct {
	*DB
	t       *testing.T
	reasons []string
}

func newReadStore(t *testing.T, o Options) *readStore {
	t.Helper()
	s := &readStore{t: t}
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	o.manualWork, o.Durability, o.Compression = true, BufferedDurability, NoCompression
	o.OnEvent = func(e event.Event) {
		if c, ok := e.(event.CompactionEnd); ok && c.Kind == "merge" {
			s.reasons = append(s.reasons, c.Reason)
		}
	}
	db, err := Open("db", &o)
	s.must(err)
	s.DB = db
	t.Cleanup(func() { s.must(db.Close()) })
	return s
}

func (s *readStore) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// write puts every step-th of n keys.
func (s *readStore) write(n, step int) {
	s.t.Helper()
	for i := 0; i < n; i += step {
		s.must(s.Put(fmt.Appendf(nil, "key%06d", i), make([]byte, 100)))
	}
}

// flush makes a run of what is in memory.
func (s *readStore) flush() {
	s.t.Helper()
	s.must(s.Flush(context.Background()))
}

// runs makes the store one large run below three small ones.
func (s *readStore) runs() {
	s.t.Helper()
	s.write(readKeys, 1)
	s.flush()
	s.must(s.Step())
	for i := range 3 {
		s.write(readKeys, 80+i)
		s.flush()
	}
	s.must(s.Step())
	if n := s.runCount(); n != 4 || len(s.reasons) > 0 {
		s.t.Fatalf("%d runs at the start, merges %v", n, s.reasons)
	}
}

const readKeys = 2000

func (s *readStore) runCount() int { return len(s.Metrics().Runs) }

func (s *readStore) scan(from Reader) {
	s.t.Helper()
	n := 0
	for _, err := range from.Scan(Range{}) {
		s.must(err)
		n++
	}
	if n != readKeys {
		s.t.Fatalf("%d keys", n)
	}
}

// lostNothing asserts that readers have no credit.
func (s *readStore) lostNothing(what string) {
	s.t.Helper()
	if runs, mem := s.rows.Loss.Runs.Load(), s.section.Mem().Lost.Load(); runs != 0 || mem != 0 {
		s.t.Errorf("%s: %d lost to runs, %d to the memtable", what, runs, mem)
	}
}

func TestScansCollapseTheRunsTheyPayFor(t *testing.T) {
	s := newReadStore(t, Options{})
	s.runs()
	scans := 0
	for ; s.runCount() > 1 && scans < 1000; scans++ {
		s.scan(s)
		s.must(s.Step())
	}
	if s.runCount() != 1 || scans < 2 {
		t.Fatalf("%d runs after %d scans", s.runCount(), scans)
	}
	for _, r := range s.reasons {
		if r != "reads" {
			t.Errorf("merges for %v", s.reasons)
			break
		}
	}
	merges := len(s.reasons)
	for range 10 {
		s.scan(s)
		s.must(s.Step())
	}
	if len(s.reasons) != merges {
		t.Errorf("one run was merged again: %v", s.reasons)
	}
	s.lostNothing("one run, and nothing above it")
}

func TestSeeksCollapseRuns(t *testing.T) {
	s := newReadStore(t, Options{})
	s.runs()
	for i := range 1_000_000 {
		it, err := s.NewIter(nil)
		s.must(err)
		if !it.SeekGE([]byte("key000777")) {
			t.Fatal(it.Err())
		}
		s.must(it.Close())
		if i%1000 == 0 {
			s.must(s.Step())
			if s.runCount() == 1 {
				return
			}
		}
	}
	t.Errorf("%d runs", s.runCount())
}

// TestALongWalkIsCountedWhileItLasts covers an iterator that is never closed.
func TestALongWalkIsCountedWhileItLasts(t *testing.T) {
	s := newReadStore(t, Options{})
	s.runs()
	it, err := s.NewIter(nil)
	s.must(err)
	defer it.Close()
	for range 2 * rows.CountEvery {
		it.SeekGE([]byte("key000777"))
	}
	if s.rows.Loss.Runs.Load() == 0 {
		t.Error("nothing was lost")
	}
}

func TestScansPutAMemtableAway(t *testing.T) {
	s := newReadStore(t, Options{})
	s.write(readKeys, 1)
	s.flush()
	s.must(s.Step())
	s.write(readKeys, 40)
	s.must(s.Step())
	if s.Metrics().Memtables.Records == 0 {
		t.Fatal("nobody reads, and the memtable is flushed")
	}
	scans := 0
	for ; s.Metrics().Memtables.Records > 0 && scans < 1000; scans++ {
		s.scan(s)
		s.must(s.Step())
	}
	if n := s.runCount(); n != 1 || scans < 2 || len(s.reasons) != 1 || s.reasons[0] != "reads" {
		t.Errorf("%d runs after %d scans, merges for %v", n, scans, s.reasons)
	}
	s.scan(s)
	s.lostNothing("one run")
}

// TestScansOfAMemtableAlonePutItAway walks rows that nothing else has a say in.
func TestScansOfAMemtableAlonePutItAway(t *testing.T) {
	s := newReadStore(t, Options{})
	s.write(readKeys, 1)
	scans := 0
	for ; s.Metrics().Memtables.Records > 0 && scans < 1000; scans++ {
		s.must(s.Step())
		s.scan(s)
	}
	if n := s.runCount(); n != 1 || scans < 2 {
		t.Errorf("%d runs after %d scans", n, scans)
	}
}

func TestWhoWritesOrReadsByKeyCollapsesNothing(t *testing.T) {
	s := newReadStore(t, Options{runLimit: 2})
	for range 30 {
		s.write(readKeys, 7)
		s.flush()
		s.must(s.Step())
	}
	for _, r := range s.reasons {
		if r == "reads" {
			t.Fatal("a store that is only written to merges for readers")
		}
	}
	s.write(readKeys, 50)
	for i := range readKeys {
		if _, err := s.Get(fmt.Appendf(nil, "key%06d", i)); err != nil && err != ErrNotFound {
			t.Fatal(err)
		}
		_, err := s.Hash("h").Get("field")
		if err != ErrNotFound {
			t.Fatal(err)
		}
	}
	s.lostNothing("point reads")
}

func TestReadersOfThePastEarnNothing(t *testing.T) {
	s := newReadStore(t, Options{})
	s.write(readKeys, 1)
	s.flush()
	s.must(s.Step())
	snap, err := s.NewSnapshot()
	s.must(err)
	defer snap.Close()
	s.write(readKeys, 100)
	s.flush()
	s.scan(snap)
	s.lostNothing("a snapshot older than a table")

	it, err := s.NewIter(nil)
	s.must(err)
	s.write(readKeys, 100)
	s.flush()
	for ok := it.First(); ok; ok = it.Next() {
	}
	s.must(it.Close())
	s.lostNothing("an iterator over a state that is gone")

	s.scan(s)
	if s.rows.Loss.Runs.Load() == 0 {
		t.Error("a scan of the present earns nothing")
	}
}

func TestRunsOutOfReachCostReadersNothing(t *testing.T) {
	s := newReadStore(t, Options{})
	s.runs()
	for range 100 {
		for _, err := range s.Scan(Range{Lower: []byte("zoo")}) {
			s.must(err)
		}
		for _, err := range s.Scan(Range{Upper: []byte("a")}) {
			s.must(err)
		}
	}
	s.lostNothing("ranges that no run reaches into")
}

func TestWithoutRoomOnDiskNothingIsMergedForReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	s := newReadStore(t, Options{MaxDiskBytes: 300 << 10})
	s.runs()
	if room := s.section.MergeRoom(); room < 0 || room > 100<<10 {
		t.Fatalf("room for %d bytes", room)
	}
	for range 300 {
		s.scan(s)
		s.must(s.Step())
	}
	if n := s.runCount(); n != 2 {
		t.Errorf("%d runs: those that are small enough become one, and the large one stays", n)
	}
	s.must(s.Close())
	s = newReadStore(t, Options{FS: s.opts.FS})
	for range 300 {
		s.scan(s)
		s.must(s.Step())
	}
	if n := s.runCount(); n != 1 {
		t.Errorf("%d runs once there is room", n)
	}
}

// TestAScannedStoreBecomesOneRunByItself leaves everything to the workers.
func TestAScannedStoreBecomesOneRunByItself(t *testing.T) {
	t.Parallel()
	db, err := Open("db", &Options{FS: vfs.NewMem(), Durability: BufferedDurability})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &readStore{DB: db, t: t}
	s.write(readKeys, 1)
	s.flush()
	s.write(readKeys, 30)
	oneRun := func() bool {
		s.scan(s)
		return s.runCount() == 1 && s.Metrics().Memtables.Records == 0
	}
	if !Within(oneRun) {
		t.Fatal(s.Metrics())
	}
}

func TestWhatIsMergedForReadersIsTakenOffTheirCredit(t *testing.T) {
	s := newReadStore(t, Options{})
	s.runs()
	const saved = 40 << 10 // the small runs have about 9 KiB, the large one 200
	s.rows.Loss.Runs.Store(saved)
	s.must(s.Step())
	if left := s.rows.Loss.Runs.Load(); s.runCount() != 2 || left < 0 || left > saved-5<<10 {
		t.Errorf("%d runs, %d ns of %d left", s.runCount(), left, int64(saved))
	}
	s.must(s.Compact(context.Background(), Range{}))
	s.must(s.Step())
	s.lostNothing("what was left when there was one run")
}

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
		putAt(t, db, BufferedDurability, fmt.Sprintf("k%03d", i), fmt.Sprint("value ", i))
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
		putAt(t, db, BufferedDurability, fmt.Sprintf("k%03d+", i), "new")
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
	putAt(t, db, BufferedDurability, "k020+", "new")
	putAt(t, db, BufferedDurability, "k040", "changed")
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

// TestTheHeadOfAQueueIsBehindAGap has much go through a queue: looks at its head pass
// what was popped once, not each time.
func TestTheHeadOfAQueueIsBehindAGap(t *testing.T) {
	t.Parallel()
	db, err := Open("db", &Options{FS: vfs.NewMem(), Durability: BufferedDurability})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const depth, through = 100, 20_000
	key := func(i int) []byte { return fmt.Appendf(nil, "q%07d", i) }
	far := 0
	for i := range through {
		if err := db.Put(key(i), nil); err != nil {
			t.Fatal(err)
		}
		if i < depth {
			continue
		}
		for kv, err := range db.Scan(Prefix([]byte("q"))) {
			if err != nil || !bytes.Equal(kv.Key, key(i-depth)) {
				t.Fatalf("the head is %q, %v", kv.Key, err)
			}
			break
		}
		start := keyenc.AppendKeyRow(nil, nil, []byte("q"))
		head := keyenc.AppendKeyRow(nil, nil, key(max(0, i-depth-600)))
		if end := db.states.Gaps.End(start, db.section.Visible(), false); bytes.Compare(end, head) < 0 {
			far++
		}
		if err := db.Delete(key(i - depth)); err != nil {
			t.Fatal(err)
		}
	}
	if far > 1000 { // it has to begin, and again when it was in nobody's use
		t.Errorf("at %d of %d looks more than 600 popped keys lay before the head", far, through)
	}
}
