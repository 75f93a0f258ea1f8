package changes_test

import (
	"context"
	"fmt"
	"log"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/vfs"
)

// A cache is kept up to date by the changes of a store. It goes on where it had stopped,
// also in another process: the position is kept with what was made of the changes.
func Example() {
	db, err := siltstone.Open("data", &siltstone.Options{
		FS: vfs.NewMem(), KeepChanges: changes.Keep{Bytes: 64 << 20},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := db.Put([]byte("greeting"), []byte("hello")); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Hash("user:1").Set("name", []byte("Ada")); err != nil {
		log.Fatal(err)
	}

	var kept changes.Position // from where the follower keeps it; zero at first
	options := siltstone.ChangeOptions{After: kept, NoWait: true}
	for c, err := range db.Changes(context.Background(), options) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%v %s %q %q\n", c.Kind, c.Key, c.Element, c.Value)
		if c.Last {
			kept = c.Position
		}
	}
	fmt.Println(kept == db.Position())
	// Output:
	// put greeting "" "hello"
	// replace user:1 "" ""
	// set element user:1 "name" "Ada"
	// true
}
