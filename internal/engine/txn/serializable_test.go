package txn_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// roster holds the names of those on call: as keys, fields, and members with a
// score. Others fill the collections, so that they are not in one row each.
var roster = []string{"ann", "bob"}

func fillRoster(t *testing.T, db *siltstone.DB) {
	t.Helper()
	ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
		for _, name := range roster {
			_, err1 := tx.Hash("hash").Set(name, nil)
			_, err2 := tx.ZSet("zset").Add(name, 1)
			if err := errors.Join(err1, err2, tx.Put([]byte("oncall/"+name), nil)); err != nil {
				return err
			}
		}
		for i := range 100 {
			other := fmt.Sprintf("other %03d, with a name that is longer", i)
			_, err1 := tx.Hash("hash").Set(other, nil)
			_, err2 := tx.ZSet("zset").Add(other, 2)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
		}
		return nil
	}))
}

// strike takes a name off the roster. In the collections an element is overwritten:
// their size, which a loop does not ask for, stays.
func strike(tx *siltstone.Tx, name string) error {
	_, err1 := tx.Hash("hash").Set(name, []byte("off"))
	_, err2 := tx.ZSet("zset").Add(name, 3)
	return errors.Join(err1, err2, tx.Delete([]byte("oncall/"+name)))
}

var onCall = siltstone.Prefix([]byte("oncall/"))

// within walks loop until it has shown everybody on the roster, and there, inside
// its body, runs last.
func within[V any](loop iter.Seq2[V, error], last func() error) error {
	n := 0
	for _, err := range loop {
		if err != nil {
			return err
		}
		if n++; n == len(roster) {
			return last()
		}
	}
	return errors.New("the loop has ended")
}

// readings read the whole roster and run last while the walk is still open.
var readings = map[string]func(tx *siltstone.Tx, last func() error) error{
	"iterator": func(tx *siltstone.Tx, last func() error) error {
		it, err := tx.NewIter(&siltstone.IterOptions{Range: onCall})
		if err != nil {
			return err
		}
		for ok := it.First(); ok; ok = it.Next() {
		}
		return errors.Join(it.Err(), last())
	},
	"iterator backward": func(tx *siltstone.Tx, last func() error) error {
		it, err := tx.NewIter(&siltstone.IterOptions{Range: onCall})
		if err != nil {
			return err
		}
		for ok := it.Last(); ok; ok = it.Prev() {
		}
		return errors.Join(it.Err(), last())
	},
	"iterator that stands": func(tx *siltstone.Tx, last func() error) error {
		it, err := tx.NewIter(nil)
		if err != nil || !it.SeekGE([]byte("oncall/ann")) || !it.Next() {
			return errors.Join(err, errors.New("not there"))
		}
		return errors.Join(it.Err(), last())
	},
	"pulled Scan": func(tx *siltstone.Tx, last func() error) error {
		next, stop := iter.Pull2(tx.Scan(onCall))
		defer stop()
		for range roster {
			if _, err, ok := next(); err != nil || !ok {
				return fmt.Errorf("%v, %v", err, ok)
			}
		}
		return last()
	},
	"Scan":     func(tx *siltstone.Tx, last func() error) error { return within(tx.Scan(onCall), last) },
	"ScanBack": func(tx *siltstone.Tx, last func() error) error { return within(tx.ScanBack(onCall), last) },
	"Hash.All": func(tx *siltstone.Tx, last func() error) error { return within(tx.Hash("hash").All(), last) },
	"ZSet.Range": func(tx *siltstone.Tx, last func() error) error {
		return within(tx.ZSet("zset").Range(typed.ByScore(1, 1)), last)
	},
	"Keys.All": func(tx *siltstone.Tx, last func() error) error {
		return within(tx.Keys().All(typed.KeyOptions{Match: "oncall/*"}), last)
	},
}

func TestWhatAnOpenWalkHasReadCountsAtCommit(t *testing.T) {
	for how, read := range readings {
		t.Run(how, func(t *testing.T) {
			db := newStore(t)
			fillRoster(t, db)
			a, err1 := db.Begin(bg, siltstone.ReadWriteMode)
			b, err2 := db.Begin(bg, siltstone.ReadWriteMode)
			ok(t, errors.Join(err1, err2))
			ok(t, read(a, func() error { return errors.Join(strike(a, "ann"), a.Commit()) }))
			wantErr(t, read(b, func() error { return errors.Join(strike(b, "bob"), b.Commit()) }), siltstone.ErrConflict)
		})
	}
}

func TestCommitAndRollbackInsideUpdateAndViewAreRefusedAndItGoesOn(t *testing.T) {
	db := newStore(t)
	ks, err := db.CreateKeyspace("ks")
	ok(t, err)
	ran := 0
	ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
		ok(t, tx.Put([]byte("paid"), []byte("100")))
		tx.OnCommit(func() { ran++ })
		for range 2 {
			wantErr(t, tx.Commit(), siltstone.ErrManaged)
			wantErr(t, tx.In(ks).Commit(), siltstone.ErrManaged)
			wantErr(t, tx.Rollback(), siltstone.ErrManaged)
		}
		if has, _ := db.Has([]byte("paid")); has || ran > 0 {
			t.Error("Commit inside Update has committed")
		}
		return tx.Put([]byte("also"), nil)
	}))
	for _, key := range []string{"paid", "also"} {
		if has, err := db.Has([]byte(key)); !has || err != nil {
			t.Errorf("%s is not there: %v", key, err)
		}
	}
	if ran != 1 {
		t.Errorf("the hook ran %d times", ran)
	}
	refused := errors.New("refused")
	var kept *siltstone.Tx
	wantErr(t, db.Update(bg, func(tx *siltstone.Tx) error {
		kept = tx
		return errors.Join(refused, tx.Put([]byte("refused"), nil), tx.Commit())
	}), refused)
	if has, _ := db.Has([]byte("refused")); has {
		t.Error("an Update whose closure failed has committed")
	}
	wantErr(t, kept.Commit(), siltstone.ErrTxDone)
	ok(t, kept.Rollback())
	ok(t, db.View(bg, func(tx *siltstone.Tx) error {
		wantErr(t, tx.Commit(), siltstone.ErrManaged)
		wantErr(t, tx.Rollback(), siltstone.ErrManaged)
		_, err := tx.Get([]byte("paid"))
		return err
	}))
}

func TestARawLoopAndIteratorSayThatTheirTransactionEnded(t *testing.T) {
	db := newStore(t)
	ks, err := db.CreateKeyspace("ks")
	ok(t, err)
	for i := range 500 {
		key := fmt.Appendf(nil, "%03d", i)
		ok(t, errors.Join(db.Put(key, nil), ks.Put(key, nil)))
	}
	for _, flushed := range []bool{false, true} {
		if flushed {
			ok(t, db.Flush(bg))
		}
		for how, end := range map[string]func(tx *siltstone.Tx) error{"Commit": (*siltstone.Tx).Commit, "Rollback": (*siltstone.Tx).Rollback} {
			for _, mode := range []siltstone.Mode{siltstone.ReadOnlyMode, siltstone.ReadWriteMode} {
				for _, in := range []*siltstone.Keyspace{nil, ks} {
					begin := func() *siltstone.Tx {
						tx, err := db.Begin(bg, mode)
						ok(t, err)
						return tx.In(in)
					}
					for _, back := range []bool{false, true} {
						tx, n := begin(), 0
						loop := tx.Scan(siltstone.Range{})
						if back {
							loop = tx.ScanBack(siltstone.Range{})
						}
						var last error
						for _, last = range loop {
							if n++; n == 3 {
								ok(t, end(tx))
							}
						}
						if n != 4 || !errors.Is(last, siltstone.ErrTxDone) {
							t.Errorf("%s: %d items, then %v", how, n, last)
						}
					}
					tx := begin()
					it, err := tx.NewIter(nil)
					ok(t, err)
					it.First()
					ok(t, end(tx))
					for _, move := range []func() bool{it.Next, it.First, it.Prev, it.Last, func() bool { return it.SeekGE(nil) }, func() bool { return it.SeekLT([]byte("2")) }} {
						if move() || it.Valid() || it.Key() != nil || !errors.Is(it.Err(), siltstone.ErrTxDone) {
							t.Errorf("%s: an iterator whose transaction has ended goes on, or says %v", how, it.Err())
						}
					}
					wantErr(t, it.Close(), siltstone.ErrTxDone)
				}
			}
		}
	}
}

func TestCommitAfterCloseIsErrClosedWhateverTheTransactionDid(t *testing.T) {
	for name, do := range map[string]func(tx *siltstone.Tx) error{
		"nothing": func(*siltstone.Tx) error { return nil },
		"a read":  func(tx *siltstone.Tx) error { _, err := tx.Has([]byte("k")); return err },
		"a write": func(tx *siltstone.Tx) error { return tx.Put([]byte("k"), nil) },
	} {
		for _, mode := range []siltstone.Mode{siltstone.ReadOnlyMode, siltstone.ReadWriteMode} {
			if name == "a write" && mode == siltstone.ReadOnlyMode {
				continue
			}
			db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
			ok(t, err)
			tx, err := db.Begin(bg, mode)
			ok(t, err)
			ok(t, do(tx))
			if db.Close() == nil {
				t.Error("Close does not tell of the transaction that was left open")
			}
			wantErr(t, tx.Commit(), siltstone.ErrClosed)
			wantErr(t, tx.Commit(), siltstone.ErrTxDone)
		}
	}
}

// Each transaction reads thousands of keys and sets one to a number above all it
// has read: no two may take the same number. Beside it are writes that it does not
// rest on, of all sizes.
func TestTransactionsWithManyReadsAreSerializable(t *testing.T) {
	t.Parallel()
	const keys = 5000
	db := newStore(t)
	key := func(i int) []byte { return fmt.Appendf(nil, "number/%05d", i) }
	for i := range keys {
		ok(t, db.Put(key(i), []byte("0")))
	}
	done := make(chan struct{})
	var beside, all sync.WaitGroup
	noise := func(write func(i int) error) {
		beside.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					ok(t, write(i))
				}
			}
		})
	}
	noise(func(i int) error { return db.Put(fmt.Appendf(nil, "other/%d", i%1000), nil) })
	noise(func(i int) error {
		if i%10 > 0 {
			return db.DeleteRange(siltstone.Prefix(fmt.Appendf(nil, "other/%d", i%7)))
		}
		var b siltstone.Batch
		for n := range 2000 {
			b.Put(fmt.Appendf(nil, "other/%d/%d", i%5, n), make([]byte, 100))
		}
		return db.Apply(&b, siltstone.BufferedDurability)
	})
	each := 8
	if testing.Short() {
		each = 2
	}
	var taken sync.Map
	for g := range 3 {
		rng := rand.New(rand.NewPCG(uint64(g), 9))
		all.Go(func() {
			for range each {
				var mine int64
				ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
					mine = 0
					for i := range keys {
						b, err := tx.Get(key(i))
						if err != nil {
							return err
						}
						var n int64
						fmt.Sscan(string(b), &n)
						mine = max(mine, n+1)
					}
					return tx.Put(key(rng.IntN(keys)), fmt.Append(nil, mine))
				}))
				if _, twice := taken.LoadOrStore(mine, true); twice {
					t.Errorf("two transactions have taken number %d", mine)
				}
			}
		})
	}
	all.Wait()
	close(done)
	beside.Wait()
	for n := range int64(3 * each) {
		if _, is := taken.Load(n + 1); !is {
			t.Errorf("nobody has taken number %d", n+1)
		}
	}
}

// What changes something of many reads is a conflict, however it does: the watch of
// a large validation asks for all of it.
func TestWhateverChangesOneOfManyReadsIsAConflict(t *testing.T) {
	t.Parallel()
	const keys = 5000
	key := func(i int) []byte { return fmt.Appendf(nil, "k/%05d", i) }
	for _, c := range []struct {
		name     string
		conflict bool
		write    func(db *siltstone.DB) error
	}{
		{"put", true, func(db *siltstone.DB) error { return db.Put(key(77), nil) }},
		{"delete", true, func(db *siltstone.DB) error { return db.Delete(key(4999)) }},
		{"put of what was not there", true, func(db *siltstone.DB) error { return db.Put([]byte("absent"), nil) }},
		{"put into what was scanned", true, func(db *siltstone.DB) error { return db.Put([]byte("scan/5"), nil) }},
		{"put behind what was scanned", false, func(db *siltstone.DB) error { return db.Put([]byte("scan0"), nil) }},
		{"range delete of some", true, func(db *siltstone.DB) error {
			return db.DeleteRange(siltstone.Range{Lower: key(100), Upper: key(101)})
		}},
		{"range delete of others", false, func(db *siltstone.DB) error {
			return db.DeleteRange(siltstone.Range{Lower: append(key(100), 0), Upper: key(101)})
		}},
		{"drop", true, func(db *siltstone.DB) error { return db.DropAll() }},
		{"put of another", false, func(db *siltstone.DB) error { return db.Put([]byte("other"), nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := newStore(t)
			for i := range keys {
				ok(t, db.Put(key(i), []byte("v")))
			}
			tx, err := db.Begin(bg, siltstone.ReadWriteMode)
			ok(t, err)
			for i := range keys {
				_, err := tx.Get(key(i))
				ok(t, err)
			}
			_, err = tx.Has([]byte("absent"))
			ok(t, err)
			for _, err := range tx.Scan(siltstone.Prefix([]byte("scan/"))) {
				ok(t, err)
			}
			ok(t, tx.Put([]byte("mine"), nil))
			ok(t, c.write(db))
			if err := tx.Commit(); errors.Is(err, siltstone.ErrConflict) != c.conflict || err != nil && !c.conflict {
				t.Errorf("commit: %v", err)
			}
		})
	}
}
