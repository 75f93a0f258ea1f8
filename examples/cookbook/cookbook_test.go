// Package cookbook has the code of docs/cookbook.md: a file for each recipe, whose examples
// run as tests. The queue, sessions and rate limits are in examples/queue and
// examples/sessions.
package cookbook

import (
	"log"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// open returns an empty store in memory. A program that keeps its data calls
// siltstone.Open("data", nil).
func open() *siltstone.DB {
	db, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem()})
	check(err)
	return db
}

// check ends an example at an error that it does not expect. A program returns it.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
