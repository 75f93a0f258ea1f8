package siltstone_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// Update commits when its function returns nil. What it read still holds then;
// if somebody changed it meanwhile the function has been run again.
func ExampleDB_Update() {
	db := open()
	defer db.Close()

	check(db.Put([]byte("from"), []byte("100")))
	check(db.Put([]byte("to"), []byte("0")))
	move := func(amount int64) error {
		return db.Update(context.Background(), func(tx *siltstone.Tx) error {
			left, err := tx.String("from").Incr(-amount)
			if err != nil {
				return err
			}
			if left < 0 {
				return errors.New("not enough") // rolls back
			}
			_, err = tx.String("to").Incr(amount)
			return err
		})
	}
	fmt.Println(move(70))
	fmt.Println(move(70))
	for kv, err := range db.Scan(siltstone.Range{}) {
		check(err)
		fmt.Printf("%s %s\n", kv.Key, kv.Value)
	}
	// Output:
	// <nil>
	// not enough
	// from 30
	// to 70
}

// All reads of a View are of one state, and it never blocks.
func ExampleDB_View() {
	db := open()
	defer db.Close()

	fruit(db)
	err := db.View(context.Background(), func(tx *siltstone.Tx) error {
		check(db.Delete([]byte("apple"))) // too late for the view
		v, err := tx.Get([]byte("apple"))
		fmt.Printf("%s\n", v)
		return err
	})
	fmt.Println(err)
	// Output:
	// red
	// <nil>
}

// A transaction of Begin is ended by the caller, who also answers conflicts.
// Where a function will do, Update is easier.
func ExampleDB_Begin() {
	db := open()
	defer db.Close()

	tx, err := db.Begin(context.Background(), siltstone.ReadWriteMode)
	check(err)
	defer tx.Rollback() // does nothing after Commit
	fruit(tx)
	fmt.Println(db.Has([]byte("apple")))
	check(tx.Commit())
	fmt.Println(db.Has([]byte("apple")))
	// Output:
	// false <nil>
	// true <nil>
}

// What a transaction read must still hold when it commits.
func ExampleTx_Commit() {
	db := open()
	defer db.Close()

	fruit(db)
	tx, err := db.Begin(context.Background(), siltstone.ReadWriteMode)
	check(err)
	_, err = tx.Get([]byte("apple"))
	check(err)
	check(tx.Put([]byte("pie"), []byte("apple")))
	check(db.Delete([]byte("apple"))) // somebody else

	err = tx.Commit()
	fmt.Println(errors.Is(err, siltstone.ErrConflict))
	if conflict := new(siltstone.ConflictError); errors.As(err, &conflict) {
		fmt.Printf("%s has changed\n", conflict.Range.Lower)
	}
	fmt.Println(db.Has([]byte("pie")))
	// Output:
	// true
	// apple has changed
	// false <nil>
}

func ExampleTx_Rollback() {
	db := open()
	defer db.Close()

	tx, err := db.Begin(context.Background(), siltstone.ReadWriteMode)
	check(err)
	fruit(tx)
	tx.Rollback()
	fmt.Println(db.Keys().Count())
	fmt.Println(errors.Is(tx.Commit(), siltstone.ErrTxDone))
	// Output:
	// 0 <nil>
	// true
}

// OnCommit is the place for what must happen once, and only if the transaction
// does: the function of an Update may run more than once.
func ExampleTx_OnCommit() {
	db := open()
	defer db.Close()

	for _, fail := range []error{errors.New("changed my mind"), nil} {
		err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
			tx.OnCommit(func() { fmt.Println("committed") })
			if err := tx.Put([]byte("key"), nil); err != nil {
				return err
			}
			return fail
		})
		fmt.Println(err)
	}
	// Output:
	// changed my mind
	// committed
	// <nil>
}

// A transaction chooses how long its commit waits. Cheap ones may go ahead;
// what must not be lost takes all that came before with it to the disk.
func ExampleTx_SetDurability() {
	db, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem(), Durability: siltstone.BufferedDurability})
	check(err)
	defer db.Close()

	err = db.Update(context.Background(), func(tx *siltstone.Tx) error {
		tx.SetDurability(siltstone.SyncDurability)
		return tx.Put([]byte("order:1"), []byte("paid"))
	})
	fmt.Println(err)
	// Output: <nil>
}

// A loop sees the transaction as it was when the loop began: deleting what it
// yields is safe. Single reads see everything.
func ExampleTx_Scan() {
	db := open()
	defer db.Close()

	fruit(db)
	err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
		for kv, err := range tx.Scan(siltstone.Range{}) {
			if err != nil {
				return err
			}
			if string(kv.Value) != "red" {
				continue
			}
			if err := tx.Delete(kv.Key); err != nil {
				return err
			}
		}
		n, err := tx.Keys().Count()
		fmt.Println(n, "left")
		return err
	})
	check(err)
	// Output: 2 left
}

func ExampleTx_Attempt() {
	db := open()
	defer db.Close()

	check(db.Put([]byte("n"), []byte("1")))
	err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
		v, err := tx.Get([]byte("n"))
		if err != nil {
			return err
		}
		if tx.Attempt() == 1 {
			check(db.Put([]byte("n"), []byte("10"))) // somebody else is faster
		}
		n, err := strconv.Atoi(string(v))
		if err != nil {
			return err
		}
		fmt.Println("attempt", tx.Attempt(), "read", n)
		return tx.Put([]byte("n"), []byte(strconv.Itoa(n+1)))
	})
	check(err)
	v, err := db.Get([]byte("n"))
	fmt.Println(string(v), err)
	// Output:
	// attempt 1 read 1
	// attempt 2 read 10
	// 11 <nil>
}

// A transaction reads the clock once.
func ExampleTx_Now() {
	var now atomic.Int64 // the store asks for the time in the background, too
	now.Store(time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC).UnixNano())
	db, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem(), Clock: func() time.Time { return time.Unix(0, now.Load()) }})
	check(err)
	defer db.Close()

	check(db.PutTTL([]byte("session"), nil, time.Minute))
	err = db.View(context.Background(), func(tx *siltstone.Tx) error {
		now.Add(int64(time.Hour))
		ttl, err := tx.TTL([]byte("session"))
		fmt.Println(tx.Now().UTC().Format(time.TimeOnly), ttl)
		return err
	})
	check(err)
	// Output: 15:04:05 1m0s
}

// A transaction inside a transaction would wait for itself. One that is given
// the context of the outer one is refused.
func ExampleTx_Context() {
	db := open()
	defer db.Close()

	err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
		return db.Update(tx.Context(), func(*siltstone.Tx) error { return nil })
	})
	fmt.Println(errors.Is(err, siltstone.ErrNested))
	// Output: true
}

// The end of the context always means that nothing was committed.
func ExampleDB_Update_cancelled() {
	db := open()
	defer db.Close()

	ctx, cancel := context.WithCancel(context.Background())
	err := db.Update(ctx, func(tx *siltstone.Tx) error {
		cancel()
		return tx.Put([]byte("key"), nil)
	})
	fmt.Println(err)
	fmt.Println(db.Has([]byte("key")))
	// Output:
	// context canceled
	// false <nil>
}

// A refusal changes nothing, and the transaction may go on.
func ExampleTx_Hash() {
	db := open()
	defer db.Close()

	err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
		if err := tx.Put([]byte("user:1"), []byte("Ada")); err != nil {
			return err
		}
		_, err := tx.Hash("user:1").Set("name", []byte("Ada"))
		if !errors.Is(err, siltstone.ErrWrongType) {
			return err
		}
		if _, err := tx.Key("user:1").Drop(); err != nil {
			return err
		}
		_, err = tx.Hash("user:1").Set("name", []byte("Ada"))
		return err
	})
	fmt.Println(err)
	t, err := db.Key("user:1").Type()
	fmt.Println(t, err)
	// Output:
	// <nil>
	// hash <nil>
}

// Code that writes raw keys takes a Writer and so works on a store, where each
// call is a commit, and on a transaction.
func ExampleWriter() {
	db := open()
	defer db.Close()

	err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
		fruit(tx)
		return nil
	})
	check(err)
	fmt.Println(db.Keys().Count())
	// Output: 4 <nil>
}

// Code that uses typed values takes a Typed and so works everywhere.
func ExampleTyped() {
	rename := func(t siltstone.Typed, id, name string) error {
		_, err := t.Hash("user:"+id).Set("name", []byte(name))
		return err
	}
	db := open()
	defer db.Close()

	check(rename(db, "1", "Ada"))
	check(db.Update(context.Background(), func(tx *siltstone.Tx) error { return rename(tx, "2", "Bob") }))
	fmt.Println(db.Keys().Count())
	// Output: 2 <nil>
}

func ExampleDB_Apply() {
	db := open()
	defer db.Close()

	var b siltstone.Batch
	b.Put([]byte("apple"), []byte("red"))
	b.PutTTL([]byte("offer"), []byte("apples"), time.Hour)
	b.Delete([]byte("pear"))
	b.DeleteRange(siltstone.Prefix([]byte("old:")))
	check(db.Apply(&b, siltstone.SyncDurability)) // all or nothing
	fmt.Println(b.Len(), "operations")
	fmt.Println(db.Keys().Count())
	// Output:
	// 4 operations
	// 2 <nil>
}

// A batch that is used again keeps its memory.
func ExampleBatch_Reset() {
	db := open()
	defer db.Close()

	var b siltstone.Batch
	for i := range 1000 {
		b.Put(strconv.AppendInt(nil, int64(i), 10), nil)
		if b.Size() > 4<<10 {
			check(db.Apply(&b, siltstone.DefaultDurability))
			b.Reset()
		}
	}
	check(db.Apply(&b, siltstone.DefaultDurability))
	fmt.Println(db.Keys().Count())
	// Output: 1000 <nil>
}

// The first mistake is kept: Apply refuses the batch with it.
func ExampleBatch_Err() {
	db := open()
	defer db.Close()

	var b siltstone.Batch
	b.Put([]byte("key"), nil)
	b.Put(nil, []byte("a key has at least one byte"))
	fmt.Println(b.Err())
	fmt.Println(db.Apply(&b, siltstone.DefaultDurability))
	fmt.Println(db.Has([]byte("key")))
	// Output:
	// siltstone: batch operation 2 (put): empty key
	// siltstone: batch operation 2 (put): empty key
	// false <nil>
}

func ExampleBatch_Ops() {
	var b siltstone.Batch
	b.PutTTL([]byte("offer"), []byte("apples"), time.Hour)
	b.Delete([]byte("pear"))
	b.DeleteRange(siltstone.Range{Lower: []byte("a"), Upper: []byte("c")})
	for op, err := range b.Ops() {
		check(err)
		switch op.Kind {
		case siltstone.OpPut:
			fmt.Printf("put %s = %s for %v\n", op.Key, op.Value, op.TTL)
		case siltstone.OpDelete:
			fmt.Printf("delete %s\n", op.Key)
		case siltstone.OpDeleteRange:
			fmt.Printf("delete [%s, %s)\n", op.Range.Lower, op.Range.Upper)
		}
	}
	// Output:
	// put offer = apples for 1h0m0s
	// delete pear
	// delete [a, c)
}

// A batch travels as bytes: over a network, or in a queue, to be applied elsewhere.
func ExampleDB_ReadBatch() {
	here, there := open(), open()
	defer here.Close()
	defer there.Close()

	var b siltstone.Batch
	b.Put([]byte("apple"), []byte("red"))
	b.PutTTL([]byte("offer"), []byte("two for one"), time.Hour)
	sent, err := b.MarshalBinary()
	check(err)

	received, err := there.ReadBatch(sent)
	check(err)
	check(there.Apply(received, siltstone.DefaultDurability))
	value, err := there.Get([]byte("apple"))
	fmt.Printf("%s %v\n", value, err)

	sent[7] ^= 1
	_, err = there.ReadBatch(sent)
	fmt.Println(err)
	// Output:
	// red <nil>
	// siltstone: corruption in batch at offset 0: the checksum differs
}

func ExampleDB_CreateKeyspace() {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	tenant, err := db.CreateKeyspace("tenant-1")
	if err != nil {
		log.Fatal(err)
	}
	// The same calls as on db, over keys of its own.
	if err := tenant.Put([]byte("name"), []byte("Ada")); err != nil {
		log.Fatal(err)
	}
	if _, err := tenant.Hash("settings").Set("theme", []byte("dark")); err != nil {
		log.Fatal(err)
	}

	// A transaction spans keyspaces: In addresses one of them in it.
	err = db.Update(context.Background(), func(tx *siltstone.Tx) error {
		name, err := tx.In(tenant).Get([]byte("name"))
		if err != nil {
			return err
		}
		return tx.Put([]byte("last seen"), name)
	})
	if err != nil {
		log.Fatal(err)
	}
	seen, err := db.Get([]byte("last seen"))
	fmt.Printf("%s %v\n", seen, err)
	// Output: Ada <nil>
}

func ExampleDB_DropKeyspace() {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	session, err := db.CreateKeyspace("sessions")
	if err != nil {
		log.Fatal(err)
	}
	if err := session.Put([]byte("k"), []byte("v")); err != nil {
		log.Fatal(err)
	}

	// One small commit, however much it holds.
	if err := db.DropKeyspace("sessions"); err != nil {
		log.Fatal(err)
	}
	// The old handle writes nowhere. The same name is another keyspace.
	err = session.Put([]byte("k"), []byte("late"))
	fmt.Println(errors.Is(err, siltstone.ErrDropped))
	again, err := db.CreateKeyspace("sessions")
	if err != nil {
		log.Fatal(err)
	}
	has, err := again.Has([]byte("k"))
	fmt.Println(has, err)
	// Output:
	// true
	// false <nil>
}
