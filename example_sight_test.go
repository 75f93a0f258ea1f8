package siltstone_test

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"

	"github.com/siltstonedb/siltstone"
)

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
	var m siltstone.Metrics
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
