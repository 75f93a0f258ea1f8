package siltstone_test

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"log"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/metrics"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

func ExampleDB_Scan() {
	db := open()
	defer db.Close()

	fruit(db)
	for kv, err := range db.Scan(siltstone.Range{Lower: []byte("b")}) {
		check(err)
		fmt.Printf("%s is %s\n", kv.Key, kv.Value)
		if string(kv.Key) == "cherry" {
			break // releases everything
		}
	}
	// Output:
	// banana is yellow
	// cherry is red
}

// A key that holds a collection is shown with its type and no value.
func ExampleDB_Scan_types() {
	db := open()
	defer db.Close()

	check(db.Put([]byte("a"), []byte("text")))
	_, err := db.Set("b").Add("member")
	check(err)
	for kv, err := range db.Scan(siltstone.Range{}) {
		check(err)
		fmt.Printf("%s %v %q\n", kv.Key, kv.Type, kv.Value)
	}
	// Output:
	// a string "text"
	// b set ""
}

func ExampleDB_ScanBack() {
	db := open()
	defer db.Close()

	fruit(db)
	for kv, err := range db.ScanBack(siltstone.Range{Upper: []byte("date")}) {
		check(err)
		fmt.Printf("%s\n", kv.Key)
	}
	// Output:
	// cherry
	// banana
	// apple
}

func ExamplePrefix() {
	db := open()
	defer db.Close()

	for _, key := range []string{"user", "user:1", "user:2", "users"} {
		check(db.Put([]byte(key), nil))
	}
	for kv, err := range db.Scan(siltstone.Prefix([]byte("user:"))) {
		check(err)
		fmt.Printf("%s\n", kv.Key)
	}
	// Output:
	// user:1
	// user:2
}

// A page begins after the last key of the one before it.
func ExampleRange_After() {
	db := open()
	defer db.Close()

	fruit(db)
	var last []byte // of the page before, from the request
	for kv, err := range siltstone.Limit(db.ScanKeys(siltstone.Range{}.After(last)), 2) {
		check(err)
		fmt.Printf("%s ", kv.Key)
		last = append(last[:0], kv.Key...)
	}
	fmt.Println("are followed by")
	for kv, err := range siltstone.Limit(db.ScanKeys(siltstone.Range{}.After(last)), 2) {
		check(err)
		fmt.Printf("%s ", kv.Key)
	}
	// Output:
	// apple banana are followed by
	// cherry date
}

func ExampleRange() {
	db := open()
	defer db.Close()

	fruit(db)
	wrong := siltstone.Range{Lower: []byte("d"), Upper: []byte("b")}
	fmt.Println(errors.Is(db.DeleteRange(wrong), siltstone.ErrBadRange))
	// Output: true
}

func ExampleDB_NewIter() {
	db := open()
	defer db.Close()

	fruit(db)
	it, err := db.NewIter(&siltstone.IterOptions{Range: siltstone.Range{Upper: []byte("c")}})
	check(err)
	for ok := it.First(); ok; ok = it.Next() {
		fmt.Printf("%s is %s\n", it.Key(), it.Value())
	}
	check(it.Close()) // returns what ended the walk, if it was an error
	// Output:
	// apple is red
	// banana is yellow
}

// An iterator can turn round at any key.
func ExampleIterator() {
	db := open()
	defer db.Close()

	fruit(db)
	it, err := db.NewIter(nil)
	check(err)
	defer it.Close()
	show := func(move string, ok bool) { fmt.Printf("%s %v %q\n", move, ok, it.Key()) }
	show("First", it.First())
	show("Next", it.Next())
	show("Prev", it.Prev())
	show("Last", it.Last())
	show("Next", it.Next())
	fmt.Println(it.Valid(), it.Err())
	// Output:
	// First true "apple"
	// Next true "banana"
	// Prev true "apple"
	// Last true "date"
	// Next false ""
	// false <nil>
}

func ExampleIterator_SeekGE() {
	db := open()
	defer db.Close()

	fruit(db)
	it, err := db.NewIter(nil)
	check(err)
	defer it.Close()
	fmt.Printf("%v %s\n", it.SeekGE([]byte("banana")), it.Key())
	fmt.Printf("%v %s\n", it.SeekGE([]byte("c")), it.Key())
	fmt.Println(it.SeekGE([]byte("z")))
	// Output:
	// true banana
	// true cherry
	// false
}

func ExampleIterator_SeekLT() {
	db := open()
	defer db.Close()

	fruit(db)
	it, err := db.NewIter(nil)
	check(err)
	defer it.Close()
	fmt.Printf("%v %s\n", it.SeekLT([]byte("cherry")), it.Key())
	fmt.Println(it.SeekLT([]byte("a")))
	// Output:
	// true banana
	// false
}

func ExampleIterator_Type() {
	db := open()
	defer db.Close()

	_, err := db.ZSet("board").Add("ada", 1)
	check(err)
	it, err := db.NewIter(nil)
	check(err)
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		fmt.Printf("%s %v\n", it.Key(), it.Type() == typed.TypeZSet)
	}
	// Output: board true
}

// KeysOnly does not read values: counting costs the keys.
func ExampleIterOptions() {
	db := open()
	defer db.Close()

	fruit(db)
	it, err := db.NewIter(&siltstone.IterOptions{
		Range:    siltstone.Range{Lower: []byte("b")},
		KeysOnly: true,
	})
	check(err)
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	fmt.Println(n, it.Close())
	// Output: 3 <nil>
}

func ExampleDB_NewSnapshot() {
	db := open()
	defer db.Close()

	fruit(db)
	s, err := db.NewSnapshot()
	check(err)
	defer s.Close()
	check(db.Put([]byte("apple"), []byte("green")))

	before, err := s.Get([]byte("apple"))
	check(err)
	now, err := db.Get([]byte("apple"))
	check(err)
	fmt.Printf("%s, now %s\n", before, now)
	// Output: red, now green
}

// A snapshot has every call that reads, those on typed values too.
func ExampleSnapshot() {
	db := open()
	defer db.Close()

	_, err := db.Set("tags").Add("green")
	check(err)
	s, err := db.NewSnapshot()
	check(err)
	defer s.Close()
	check(db.DeleteRange(siltstone.Range{}))

	fmt.Println(s.Set("tags").Len())
	fmt.Println(s.Has([]byte("tags")))
	_, err = s.Set("tags").Add("blue")
	fmt.Println(errors.Is(err, siltstone.ErrReadOnly))
	// Output:
	// 1 <nil>
	// true <nil>
	// true
}

func ExampleSnapshot_Scan() {
	db := open()
	defer db.Close()

	fruit(db)
	s, err := db.NewSnapshot()
	check(err)
	defer s.Close()
	for kv, err := range s.Scan(siltstone.Range{}) {
		check(err)
		check(db.Delete(kv.Key)) // the snapshot does not see it
	}
	it, err := s.NewIter(nil)
	check(err)
	fmt.Println(it.First(), it.Close())
	fmt.Println(db.Keys().Count())
	// Output:
	// true <nil>
	// 0 <nil>
}

func ExampleSnapshot_Close() {
	db := open()
	defer db.Close()

	s, err := db.NewSnapshot()
	check(err)
	s.Close() // what only it could see may now leave the disk
	_, err = s.Get([]byte("key"))
	fmt.Println(errors.Is(err, siltstone.ErrClosed))
	// Output: true
}

// Code that only reads takes a Reader and so works on a store, a snapshot and
// a transaction.
func ExampleReader() {
	count := func(r siltstone.Reader, prefix string) (n int) {
		for _, err := range r.Scan(siltstone.Prefix([]byte(prefix))) {
			check(err)
			n++
		}
		return n
	}
	db := open()
	defer db.Close()
	fruit(db)
	s, err := db.NewSnapshot()
	check(err)
	defer s.Close()
	check(db.Delete([]byte("apple")))
	fmt.Println(count(db, ""), count(s, ""))
	// Output: 3 4
}

// notes is a repository: it does not know whether it works on the store, in a
// keyspace or in a transaction.
type notes struct{ in siltstone.ReadWriter }

func (n notes) write(id, text string) error {
	if err := n.in.Put([]byte("note:"+id), []byte(text)); err != nil {
		return err
	}
	_, err := n.in.Set("notes").Add(id)
	return err
}

func (n notes) count() int64 {
	count, err := n.in.Set("notes").Len()
	check(err)
	return count
}

// A repository takes a ReadWriter. In an Update several of its calls are one commit.
func ExampleReadWriter() {
	db := open()
	defer db.Close()
	tenant, err := db.CreateKeyspace("tenant-1")
	check(err)

	check(notes{db}.write("1", "of nobody"))
	check(notes{tenant}.write("1", "of the tenant"))
	err = db.Update(context.Background(), func(tx *siltstone.Tx) error {
		mine := notes{tx.In(tenant)}
		if err := mine.write("2", "rolled back"); err != nil {
			return err
		}
		return errors.New("not today")
	})
	fmt.Println(err, notes{db}.count(), notes{tenant}.count())
	// Output: not today 1 1
}

func ExampleBatch_In() {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	audit, err := db.CreateKeyspace("audit")
	if err != nil {
		log.Fatal(err)
	}
	var b siltstone.Batch
	b.Put([]byte("balance"), []byte("90"))
	b.In(audit).Put([]byte("0001"), []byte("balance -10"))
	if err := db.Apply(&b, siltstone.SyncDurability); err != nil { // both or neither
		log.Fatal(err)
	}
	for op, err := range b.Ops() {
		fmt.Printf("%q %s=%s %v\n", op.Keyspace, op.Key, op.Value, err)
	}
	// Output:
	// "" balance=90 <nil>
	// "audit" 0001=balance -10 <nil>
}

func ExampleSnapshot_In() {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ks, err := db.CreateKeyspace("ks")
	if err != nil {
		log.Fatal(err)
	}
	if err := ks.Put([]byte("k"), []byte("v")); err != nil {
		log.Fatal(err)
	}
	snap, err := db.NewSnapshot()
	if err != nil {
		log.Fatal(err)
	}
	defer snap.Close()
	if err := db.DropKeyspace("ks"); err != nil {
		log.Fatal(err)
	}
	value, err := snap.In(ks).Get([]byte("k")) // as it was
	fmt.Printf("%s %v\n", value, err)
	// Output: v <nil>
}

func ExampleDB_Metrics() {
	db := open()
	defer db.Close()

	check(db.Put([]byte("key"), []byte("value")))
	check(db.Flush(context.Background()))
	m := db.Metrics()
	fmt.Println(m.Tables.Count, "table,", m.Dead.Collections, "collections to clean up")
	// Output: 1 table, 0 collections to clean up
}

func ExampleDB_Metrics_expvar() {
	db := open()
	defer db.Close()

	check(db.Put([]byte("key"), []byte("value")))
	figures := expvar.Func(func() any { return db.Metrics() }) // for expvar.Publish("store", figures)
	var m metrics.Metrics
	check(json.Unmarshal([]byte(figures.String()), &m))
	fmt.Println(m.Commits.Count, "commit")
	// Output: 1 commit
}

func ExampleDB_Explain() {
	db := open()
	defer db.Close()

	check(db.Put([]byte("key"), []byte("value")))
	check(db.Delete([]byte("key")))
	e, err := db.Explain([]byte("key"))
	check(err)
	fmt.Println(e.Verdict.Present, e.Verdict.Reason, "in the", e.Verdict.Source)
	// Output: false deleted in the memtable
}

// A loop that does something at first and whenever a key has changed. Moving an item to
// another list keeps it in the store until it is done with, and is a change, too: so the
// body need not look for more than one.
func ExampleDB_Wait() {
	db, err := siltstone.Open("jobs", &siltstone.Options{FS: vfs.NewMem()})
	check(err)
	defer db.Close()

	_, err = db.List("waiting").PushBack([]byte("job 1"), []byte("job 2"))
	check(err)
	for _, err := range db.Wait(context.Background(), []byte("waiting")) {
		check(err)
		job, err := db.List("waiting").MoveTo("running", typed.EndFront, typed.EndBack)
		if errors.Is(err, siltstone.ErrNotFound) {
			break // a worker goes on here
		}
		check(err)
		fmt.Printf("%s\n", job)
		_, err = db.List("running").Remove(1, job)
		check(err)
	}
	// Output:
	// job 1
	// job 2
}

func ExampleDB_PutDurability() {
	db := open()
	defer db.Close()

	// What a crash may forget need not wait for the disk.
	check(db.PutDurability([]byte("last seen"), []byte("noon"), siltstone.BufferedDurability))
	v, err := db.Get([]byte("last seen"))
	check(err)
	fmt.Printf("%s\n", v)
	// Output: noon
}
