package cookbook

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone"
)

// positionKey says how many bytes of the source have been imported.
var positionKey = []byte("import/position")

// importLines puts lines "key value" into the store, in batches of about a MiB. Each batch
// also has the position behind its last line, so an import that was broken off goes on where
// it stopped: a batch is there whole, with its position, or not at all.
//
// The batches are applied at BufferedDurability, which waits for no disk, and one Sync makes
// all of them durable.
func importLines(db *siltstone.DB, source io.ReadSeeker) error {
	position, err := importPosition(db)
	if err != nil {
		return err
	}
	if _, err := source.Seek(position, io.SeekStart); err != nil {
		return err
	}
	var b siltstone.Batch
	apply := func() error {
		b.Put(positionKey, strconv.AppendInt(nil, position, 10))
		err := db.Apply(&b, siltstone.BufferedDurability)
		b.Reset()
		return err
	}
	lines := bufio.NewReader(source)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF { // a last line without its end is not complete
			break
		}
		if err != nil {
			return err
		}
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok {
			return fmt.Errorf("offset %d: a line without a space", position)
		}
		b.Put([]byte(key), []byte(value))
		position += int64(len(line))
		if b.Size() > 1<<20 {
			if err := apply(); err != nil {
				return err
			}
		}
	}
	if err := apply(); err != nil {
		return err
	}
	return db.Sync()
}

func importPosition(db *siltstone.DB) (int64, error) {
	v, err := db.Get(positionKey)
	if errors.Is(err, siltstone.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(v), 10, 64)
}

func Example_import() {
	db := open()
	defer db.Close()
	check(importLines(db, strings.NewReader("a 1\nb 2\nhalf a li")))
	check(importLines(db, strings.NewReader("a 1\nb 2\nhalf a line\nc 3\n"))) // goes on
	for kv, err := range db.Scan(siltstone.Range{}) {
		check(err)
		fmt.Printf("%s: %s\n", kv.Key, kv.Value)
	}
	// Output:
	// a: 1
	// b: 2
	// c: 3
	// half: a line
	// import/position: 24
}
