package cookbook

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone"
)

// eventKey orders events by their time.
func eventKey(at time.Time, id uint64) []byte {
	key := append([]byte("event/"), make([]byte, 0, 16)...)
	key = binary.BigEndian.AppendUint64(key, uint64(at.UnixMilli()))
	return binary.BigEndian.AppendUint64(key, id)
}

// dropBefore deletes all events before a moment, at a cost that does not depend on how many
// there are. Call it now and then.
func dropBefore(db siltstone.Writer, at time.Time) error {
	return db.DeleteRange(siltstone.Range{Lower: []byte("event/"), Upper: eventKey(at, 0)})
}

// putFor keeps an event for a time. Nothing has to be called later.
func putFor(db siltstone.Writer, key, event []byte, keep time.Duration) error {
	return db.PutTTL(key, event, keep)
}

// days keeps each day's events in a keyspace of its own.
type days struct{ db *siltstone.DB }

const dayName = "2006-01-02"

func (d days) put(at time.Time, key, event []byte) error {
	day, err := d.db.CreateKeyspace(at.UTC().Format(dayName)) // finds it if it is there
	if err != nil {
		return err
	}
	return day.Put(key, event)
}

// dropBefore drops the days before that of a moment. Names of days are in the order of time.
func (d days) dropBefore(at time.Time) error {
	names, err := d.db.Keyspaces()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := time.Parse(dayName, name); err != nil || name >= at.UTC().Format(dayName) {
			continue // another keyspace, or a day to keep
		}
		if err := d.db.DropKeyspace(name); err != nil {
			return err
		}
	}
	return nil
}

func Example_retention() {
	db := open()
	defer db.Close()
	begin := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	for i := range uint64(4) {
		at := begin.Add(time.Duration(i) * 24 * time.Hour)
		check(db.Put(eventKey(at, i), []byte("something")))
		check(days{db}.put(at, fmt.Append(nil, i), []byte("something")))
	}
	check(dropBefore(db, begin.Add(36*time.Hour)))
	n, err := db.Keys().Count()
	fmt.Println(n, "events are left,", err)

	check(days{db}.dropBefore(begin.Add(36 * time.Hour)))
	fmt.Println(db.Keyspaces())

	check(putFor(db, []byte("event"), []byte("something"), 48*time.Hour))
	ttl, err := db.TTL([]byte("event"))
	fmt.Println(ttl > 47*time.Hour, err)
	// Output:
	// 2 events are left, <nil>
	// [2030-01-03 2030-01-04] <nil>
	// true <nil>
}
