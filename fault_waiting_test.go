package siltstone

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// An Update behind the gate may ask for a keyspace, which waits for the registry: a
// change that holds the registry must not wait for the gate.
func TestChangesOfTheRegistryAreNotHeldBackByTheGate(t *testing.T) {
	db := contendedStore(t)
	if _, err := db.CreateKeyspace("old"); err != nil {
		t.Fatal(err)
	}
	turn, err := db.section.BeginTurn(context.Background(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer turn.End()
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"Keyspace", func() error { _, err := db.CreateKeyspace("new"); return err }},
		{"DropKeyspace", func() error { return db.DropKeyspace("old") }},
		{"DropAll", db.DropAll},
	} {
		done := make(chan error, 1)
		go func() { done <- c.call() }()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s waits for the gate", c.name)
		}
	}
}

// stands reports whether a goroutine comes to stand in the function, by a part of
// its name.
func stands(function string) bool {
	stacks := make([]byte, 4<<20)
	return Within(func() bool { return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(function)) })
}

// inTheEnd fails the test if call takes a minute: it hangs.
func inTheEnd(t *testing.T, call func() error) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	return awaited(t, ended)
}

func awaited(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(time.Minute):
		stacks := make([]byte, 1<<20)
		t.Fatalf("hangs:\n%s", stacks[:runtime.Stack(stacks, true)])
		return nil
	}
}

// loseThenTurn is an Update that loses until it has its turn, and then runs last.
func loseThenTurn(ctx context.Context, db *DB, key string, last func(tx *Tx) error) error {
	return db.Update(ctx, func(tx *Tx) error {
		if _, err := tx.Has([]byte(key)); err != nil {
			return err
		}
		if tx.Attempt() > turnAfter {
			return errors.Join(last(tx), tx.Put([]byte(key+"/done"), nil))
		}
		beside := make(chan error, 1)
		go func() { beside <- db.Put([]byte(key), nil) }()
		return errors.Join(<-beside, tx.Put([]byte(key+"/done"), nil))
	})
}

func nothing(*Tx) error { return nil }

func TestAClosureThatLeavesItsTurnByPanicGoexitOrErrorEndsIt(t *testing.T) {
	for how, leave := range map[string]func() error{
		"panic":  func() error { panic("on purpose") },
		"Goexit": func() error { runtime.Goexit(); return nil },
		"error":  func() error { return errors.New("on purpose") },
	} {
		t.Run(how, func(t *testing.T) {
			db := contendedStore(t)
			left := make(chan error, 1)
			go func() {
				defer close(left)
				defer func() { _ = recover() }()
				_ = loseThenTurn(context.Background(), db, "a", func(*Tx) error { return leave() })
			}()
			_ = awaited(t, left)
			if err := inTheEnd(t, func() error { return db.Put([]byte("plain"), nil) }); err != nil {
				t.Error(err)
			}
			if err := inTheEnd(t, func() error { return loseThenTurn(context.Background(), db, "b", nothing) }); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnUpdateNestedInATurnUnderAnotherContextEnds(t *testing.T) {
	t.Parallel()
	db := contendedStore(t)
	err := inTheEnd(t, func() error {
		return loseThenTurn(context.Background(), db, "outer", func(*Tx) error {
			return loseThenTurn(context.Background(), db, "inner", nothing)
		})
	})
	// Its rivals may have to wait until the turn is over; then there is room for it.
	if err != nil && !errors.Is(err, ErrNested) {
		t.Error(err)
	}
	err = inTheEnd(t, func() error {
		return loseThenTurn(context.Background(), db, "b", func(*Tx) error {
			_, err := db.section.BeginTurn(context.Background(), time.Hour)
			return err
		})
	})
	if !errors.Is(err, ErrNested) {
		t.Errorf("a turn within a turn: %v, want ErrNested", err)
	}
	// Typed calls beside the transaction, in its goroutine, do not wait for it.
	err = inTheEnd(t, func() error {
		return loseThenTurn(context.Background(), db, "a", func(*Tx) error {
			_, err := db.String("counter").Incr(1)
			return errors.Join(err, db.Put([]byte("plain"), nil))
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// sitting is a store in which an Update sits in its turn until sit is closed.
func sitting(t *testing.T, db *DB) (ended <-chan error, sit chan struct{}) {
	t.Helper()
	sit, begun, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- loseThenTurn(context.Background(), db, "sitting", func(*Tx) error {
			select {
			case <-begun:
			default:
				close(begun)
			}
			<-sit
			return nil
		})
	}()
	<-begun
	return done, sit
}

// A closure that writes to another store nests nothing, whosever context that is given.
func TestATransactionOfOneStoreIsNoUpdateOfAnother(t *testing.T) {
	open := func() *DB {
		db, err := Open("db", &Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	one, other := open(), open()
	if _, err := other.List("l").PushBack([]byte("item")); err != nil {
		t.Fatal(err)
	}
	err := one.Update(t.Context(), func(tx *Tx) error {
		if _, err := other.List("l").WaitFront(tx.Context()); err != nil {
			t.Error("a call that waits:", err)
		}
		return other.Update(tx.Context(), func(tx *Tx) error {
			err := one.Update(tx.Context(), func(*Tx) error { return nil })
			if !errors.Is(err, ErrNested) {
				t.Errorf("back in the first store: %v, want ErrNested", err)
			}
			return nil
		})
	})
	if err := errors.Join(err, one.Close(), other.Close()); err != nil {
		t.Error(err)
	}
}

func TestAClosureThatBlocksInItsTurnHoldsNobodyForEver(t *testing.T) {
	t.Parallel()
	db := contendedStore(t)
	ended, sit := sitting(t, db)
	for name, call := range map[string]func() error{
		"Put":    func() error { return db.Put([]byte("k"), nil) },
		"Incr":   func() error { _, err := db.String("n").Incr(1); return err },
		"Update": func() error { return loseThenTurn(context.Background(), db, "other", nothing) },
	} {
		if err := inTheEnd(t, call); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	close(sit)
	if err := awaited(t, ended); err != nil {
		t.Error(err)
	}
}

func TestContextAndCloseWakeThoseWhoWaitForATurn(t *testing.T) {
	for how, want := range map[string]error{"context": context.Canceled, "Close": ErrClosed} {
		for waits, in := range map[string]string{"for a turn": ").BeginTurn(", "to commit": ".(*Turn).wait("} {
			t.Run(how+" "+waits, func(t *testing.T) {
				db, err := Open("db", &Options{FS: vfs.NewMem()})
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				turn, err := db.section.BeginTurn(context.Background(), time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				defer turn.End()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				ended := make(chan error, 1)
				go func() {
					if waits == "for a turn" {
						turn, err := db.section.BeginTurn(ctx, time.Hour)
						if err == nil {
							turn.End()
						}
						ended <- err
						return
					}
					ended <- db.Update(ctx, func(tx *Tx) error { return tx.Put([]byte("k"), nil) })
				}()
				if !stands(in) {
					t.Fatal("nobody waits")
				}
				if how == "context" {
					cancel()
				} else if err := inTheEnd(t, db.Close); err != nil && !strings.Contains(err.Error(), "still open") {
					t.Error(err) // the Update it woke may not have ended yet
				}
				if err := awaited(t, ended); !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
			})
		}
	}
}

// slowSyncs is a store on a disk whose log is not synced before goOn is closed.
func slowSyncs(t *testing.T) (db *DB, hold func() (goOn func())) {
	t.Helper()
	faults := vfstest.NewFaults(vfs.NewMem())
	db, err := Open("db", &Options{FS: faults})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, func() func() {
		goOn := make(chan struct{})
		faults.OnOp(func(op vfstest.Op) {
			if op.Kind == vfstest.Sync && strings.HasSuffix(op.Name, ".wal") {
				<-goOn
			}
		})
		return func() { close(goOn) }
	}
}

func TestATurnEndsWhenTheChangeIsPublishedNotWhenItIsDurable(t *testing.T) {
	db, hold := slowSyncs(t)
	var goOn func()
	first := make(chan error, 1)
	go func() {
		first <- loseThenTurn(context.Background(), db, "a", func(*Tx) error { goOn = hold(); return nil })
	}()
	if !Within(func() bool { has, err := db.Has([]byte("a/done")); return has && err == nil && db.section.Turns.Free() }) {
		t.Error("the turn lasts while the commit is made durable")
	}
	goOn()
	if err := awaited(t, first); err != nil {
		t.Error(err)
	}
}

func TestCallsOnOneKeyShareASync(t *testing.T) {
	for name, call := range map[string]func(db *DB, i int) error{
		"String.Incr":   func(db *DB, i int) error { _, err := db.String("k").Incr(1); return err },
		"Hash.Set":      func(db *DB, i int) error { _, err := db.Hash("k").Set(fmt.Sprint(i), nil); return err },
		"List.PushBack": func(db *DB, i int) error { _, err := db.List("k").PushBack([]byte("x")); return err },
		"ZSet.Incr":     func(db *DB, i int) error { _, err := db.ZSet("k").Incr(fmt.Sprint(i), 1); return err },
	} {
		t.Run(name, func(t *testing.T) {
			db, hold := slowSyncs(t)
			before := db.section.LastSeq()
			goOn := hold()
			ended := make(chan error, 8)
			for i := range cap(ended) {
				go func() { ended <- call(db, i) }()
			}
			if !Within(func() bool { return db.section.LastSeq() >= before+8 }) {
				t.Error("a call waits for the sync of the one before")
			}
			goOn()
			for range cap(ended) {
				if err := awaited(t, ended); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestACallThatHasLostToARotationIsNotDisturbedByTheNext(t *testing.T) {
	db := contendedStore(t)
	for attempt, lost := range []bool{1: true, 2: false, 3: false, turnAfter + 1: false} {
		if attempt == 0 {
			continue
		}
		tx, err := db.txns.BeginCall(nil, true, "k", attempt)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = tx.Get(nil, []byte("\x01k"))
		if !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		if err := tx.Put([]byte("\x01other"), 1, 0, nil); err != nil {
			t.Fatal(err)
		}
		if err := db.Flush(context.Background()); err != nil { // of what the round before has put
			t.Fatal(err)
		}
		db.states.Publish(func(*readstate.State) {})
		if again, err := db.txns.EndCall(tx, nil); again != lost || err != nil {
			t.Errorf("attempt %d: again %v, %v", attempt, again, err)
		}
	}
}

func TestFlushReturnsTheErrorOfAFlushThatFails(t *testing.T) {
	for name, call := range map[string]func(db *DB) error{
		"Flush":      func(db *DB) error { return db.Flush(context.Background()) },
		"Compact":    func(db *DB) error { return db.Compact(context.Background(), Range{}) },
		"Checkpoint": func(db *DB) error { return db.Checkpoint(context.Background(), "copy") },
		"Backup":     func(db *DB) error { _, err := db.Backup(context.Background(), io.Discard, nil); return err },
	} {
		t.Run(name, func(t *testing.T) {
			faults := vfstest.NewFaults(vfs.NewMem())
			db, err := Open("db", &Options{FS: faults})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Put([]byte("k"), nil); err != nil {
				t.Fatal(err)
			}
			faults.Inject(vfstest.Fault{Match: func(op vfstest.Op) bool {
				return op.Kind == vfstest.Create && strings.HasSuffix(op.Name, ".sst")
			}, Times: vfstest.Forever})
			if err := inTheEnd(t, func() error { return call(db) }); !errors.Is(err, vfstest.ErrInjected) {
				t.Errorf("%v, want the fault", err)
			}
			faults.Clear()
			if err := inTheEnd(t, db.Close); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestACommitWhoseSyncFailsWhileCloseRunsIsIndeterminate(t *testing.T) {
	faults := vfstest.NewFaults(vfs.NewMem())
	db, err := Open("db", &Options{FS: faults})
	if err != nil {
		t.Fatal(err)
	}
	first := filesLike(t, faults, ".wal")[0] // a later one is made in the background
	ofLog := func(op vfstest.Op) bool { return op.Kind == vfstest.Sync && strings.HasSuffix(op.Name, first) }
	var once atomic.Bool
	syncing, goOn := make(chan struct{}), make(chan struct{})
	faults.OnOp(func(op vfstest.Op) {
		if ofLog(op) && once.CompareAndSwap(false, true) {
			close(syncing)
			<-goOn
		}
	})
	faults.Inject(vfstest.Fault{Match: ofLog, Effect: vfstest.Done, Times: vfstest.Forever})
	put, closed := make(chan error, 1), make(chan error, 1)
	go func() { put <- db.Put([]byte("k"), nil) }()
	<-syncing
	go func() { closed <- db.Close() }()
	if !Within(db.life.Closing) {
		t.Fatal("Close does not begin")
	}
	close(goOn)
	if err := awaited(t, put); !errors.Is(err, ErrIndeterminate) || errors.Is(err, ErrClosed) {
		t.Errorf("%v, want ErrIndeterminate", err)
	}
	if err := awaited(t, closed); err == nil {
		t.Error("Close says nothing of the failure")
	}
}

// Each item comes to one of the callers who wait, and about one of them is woken for it.
func TestItemsComeToCallersWhoWaitOnceEach(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), newHandClock(), func(o *Options) { o.manualWork = false })
	const callers = 64
	items := 10_000
	if testing.Short() {
		items = 1000
	}
	got := make([]atomic.Int32, items)
	var all, left sync.WaitGroup
	left.Add(items)
	for range callers {
		all.Go(func() {
			for {
				v, err := db.List("q").WaitFront(context.Background())
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				got[binary.BigEndian.Uint32(v)].Add(1)
				left.Done()
			}
		})
	}
	for i := range uint32(items) {
		if _, err := db.List("q").PushBack(binary.BigEndian.AppendUint32(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	left.Wait()
	wakes := db.section.Waiters.Wakes()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	for i := range got {
		if n := got[i].Load(); n != 1 {
			t.Fatalf("item %d came %d times", i, n)
		}
	}
	t.Logf("%d wakes for %d items", wakes, items)
	if wakes > int64(items)*5/4 {
		t.Error("callers were woken in vain")
	}
}
