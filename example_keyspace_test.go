package siltstone_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

func ExampleDB_Keyspace() {
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
	if err := db.Apply(&b, siltstone.Sync); err != nil { // both or neither
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
