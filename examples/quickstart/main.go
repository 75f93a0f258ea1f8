// Command quickstart is the program of the README.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/siltstonedb/siltstone"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	db, err := siltstone.Open("data", nil) // nil: the defaults, which are durable
	if err != nil {
		return err
	}
	defer db.Close()

	if err := db.Put([]byte("greeting"), []byte("hello")); err != nil {
		return err
	}
	v, err := db.Get([]byte("greeting"))
	if err != nil {
		return err
	}
	fmt.Printf("greeting: %s\n", v)

	err = db.Update(context.Background(), func(tx *siltstone.Tx) error {
		if _, err := tx.Hash("user:1").Set("name", []byte("Ada")); err != nil {
			return err
		}
		if _, err := tx.ZSet("board").Add("ada", 99.5); err != nil {
			return err
		}
		return tx.Key("user:1").Expire(30 * time.Minute)
	})
	if err != nil {
		return err
	}
	for kv, err := range db.Scan(siltstone.Range{}) {
		if err != nil {
			return err
		}
		fmt.Printf("%s is a %v\n", kv.Key, kv.Type)
	}
	return db.Close() // the deferred one returns the same again
}
