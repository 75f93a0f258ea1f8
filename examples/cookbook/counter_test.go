package cookbook

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

// shards is over how many keys a busy counter is spread: about as many as there are
// goroutines that count at once.
const shards = 32

// countSharded adds one to a counter that many add to at once. Two who meet the same key are
// in each other's way, and one of them runs again; with many keys they seldom meet.
func countSharded(db siltstone.Typed, name string) error {
	_, err := db.String(name + "/" + strconv.Itoa(rand.IntN(shards))).Incr(1)
	return err
}

// sum adds the parts up, all of one moment.
func sum(db siltstone.Reader, name string) (total int64, err error) {
	for kv, err := range db.Scan(siltstone.Prefix([]byte(name + "/"))) {
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(string(kv.Value), 10, 64)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// tally counts in memory and adds to the store now and then, many counters in one
// transaction. What was not added yet is lost when the process is killed.
type tally struct {
	mu     sync.Mutex
	counts map[string]int64
}

func (t *tally) count(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int64{}
	}
	t.counts[name]++
}

// flush adds what was counted to the store. A ticker calls it, and the end of the program.
func (t *tally) flush(ctx context.Context, db *siltstone.DB) error {
	t.mu.Lock()
	counts := t.counts
	t.counts = nil
	t.mu.Unlock()
	err := db.Update(ctx, func(tx *siltstone.Tx) error {
		for name, n := range counts {
			if _, err := tx.String(name).Incr(n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil { // nothing was added: count it again
		t.mu.Lock()
		defer t.mu.Unlock()
		for name, n := range t.counts {
			counts[name] += n
		}
		t.counts = counts
	}
	return err
}

func Example_counters() {
	db, ctx := open(), context.Background()
	defer db.Close()
	var all tally
	var clients sync.WaitGroup
	for range 10 {
		clients.Go(func() {
			for range 100 {
				_, err := db.String("plain").Incr(1) // right, and enough for most
				check(err)
				check(countSharded(db, "sharded"))
				all.count("tallied")
			}
		})
	}
	clients.Wait()
	check(all.flush(ctx, db))

	plain, err := db.String("plain").Get()
	fmt.Printf("%s %v\n", plain, err)
	fmt.Println(sum(db, "sharded"))
	tallied, err := db.String("tallied").Get()
	fmt.Printf("%s %v\n", tallied, err)
	// Output:
	// 1000 <nil>
	// 1000 <nil>
	// 1000 <nil>
}

// BenchmarkCounters has 64 goroutines count, on disk.
func BenchmarkCounters(b *testing.B) {
	for _, durability := range []siltstone.Durability{siltstone.SyncDurability, siltstone.BufferedDurability} {
		var all tally
		for name, count := range map[string]func(*siltstone.DB) error{
			"plain":   func(db *siltstone.DB) error { _, err := db.String("n").Incr(1); return err },
			"sharded": func(db *siltstone.DB) error { return countSharded(db, "n") },
			"tallied": func(*siltstone.DB) error { all.count("n"); return nil },
		} {
			b.Run(fmt.Sprintf("%s/%.4s", name, durability), func(b *testing.B) {
				db, err := siltstone.Open(b.TempDir(), &siltstone.Options{Durability: durability})
				check(err)
				defer db.Close()
				stop := every(100*time.Millisecond, func() { check(all.flush(context.Background(), db)) })
				b.SetParallelism(32)
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						check(count(db))
					}
				})
				stop()
				b.ReportMetric(float64(db.Metrics().Commits.Conflicts)/float64(b.N), "conflicts/op")
			})
		}
	}
}

// every calls fn again and again until stop is called, and then once more.
func every(d time.Duration, fn func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(d); ; {
			select {
			case <-tick.C:
				fn()
			case <-done:
				fn()
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}
