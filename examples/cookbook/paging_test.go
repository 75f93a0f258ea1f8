package cookbook

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/siltstonedb/siltstone"
)

// page returns up to n keys of r behind a cursor, and the cursor of the next page: nil if this
// is the last one. A cursor is the last key that was seen, so a page costs the same wherever
// it is. The first page has the cursor nil.
func page(db siltstone.Reader, r siltstone.Range, cursor []byte, n int) (keys []string, next []byte, err error) {
	if cursor != nil {
		r = r.After(cursor)
	}
	for kv, err := range siltstone.Limit(db.ScanKeys(r), n+1) { // one more, to know whether there is more
		if err != nil {
			return nil, nil, err
		}
		if len(keys) == n {
			return keys, next, nil
		}
		keys, next = append(keys, string(kv.Key)), bytes.Clone(kv.Key)
	}
	return keys, nil, nil
}

// listings keeps the snapshots of listings that somebody pages through.
type listings struct {
	db   *siltstone.DB
	mu   sync.Mutex
	open map[string]*siltstone.Snapshot
}

var errListingOver = errors.New("the listing is over: begin again")

// begin begins a listing of the state as it is now, which others may change meanwhile. It ends
// by itself after the time: as long as a snapshot is open, what it shows takes space on disk.
func (l *listings) begin(id string, life time.Duration) error {
	snap, err := l.db.NewSnapshot()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[id] = snap
	time.AfterFunc(life, func() { l.end(id) })
	return nil
}

func (l *listings) end(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if snap := l.open[id]; snap != nil {
		snap.Close()
		delete(l.open, id)
	}
}

// page returns a page of a listing.
func (l *listings) page(id string, r siltstone.Range, cursor []byte, n int) ([]string, []byte, error) {
	l.mu.Lock()
	snap := l.open[id]
	l.mu.Unlock()
	if snap == nil {
		return nil, nil, errListingOver
	}
	keys, next, err := page(snap, r, cursor, n)
	if errors.Is(err, siltstone.ErrClosed) { // it ended meanwhile
		err = errListingOver
	}
	return keys, next, err
}

func Example_paging() {
	db := open()
	defer db.Close()
	for _, k := range []string{"a", "b", "c", "d", "e"} {
		check(db.Put([]byte("item:"+k), nil))
	}
	items := siltstone.Prefix([]byte("item:"))
	l := &listings{db: db, open: map[string]*siltstone.Snapshot{}}
	check(l.begin("one", time.Minute))

	keys, cursor, err := l.page("one", items, nil, 2)
	fmt.Println(keys, string(cursor), err)
	check(db.Delete([]byte("item:c"))) // the listing does not notice
	check(db.Put([]byte("item:bb"), nil))
	for cursor != nil {
		keys, cursor, err = l.page("one", items, cursor, 2)
		fmt.Println(keys, err)
	}
	l.end("one")
	_, _, err = l.page("one", items, nil, 2)
	fmt.Println(err)

	keys, _, err = page(db, items, []byte("item:b"), 2) // without a snapshot: the state of now
	fmt.Println(keys, err)
	// Output:
	// [item:a item:b] item:b <nil>
	// [item:c item:d] <nil>
	// [item:e] <nil>
	// the listing is over: begin again
	// [item:bb item:d] <nil>
}
