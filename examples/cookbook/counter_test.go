package cookbook

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

// count adds one to a counter. Many may do so at once: they take turns, and their commits
// share a write and a sync of the log.
func count(db siltstone.Typed, name string) error {
	_, err := db.String(name).Incr(1)
	return err
}

// order counts in a transaction that does more: the customer's orders and all orders.
func order(ctx context.Context, db *siltstone.DB, customer string) error {
	return db.Update(ctx, func(tx *siltstone.Tx) error {
		if err := count(tx, "orders of "+customer); err != nil {
			return err
		}
		return count(tx, "orders")
	})
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
				check(count(db, "visits"))
				check(order(ctx, db, "ada"))
				all.count("tallied")
			}
		})
	}
	clients.Wait()
	check(all.flush(ctx, db))

	for _, name := range []string{"visits", "orders", "orders of ada", "tallied"} {
		n, err := db.String(name).Get()
		fmt.Printf("%s: %s %v\n", name, n, err)
	}
	// Output:
	// visits: 1000 <nil>
	// orders: 1000 <nil>
	// orders of ada: 1000 <nil>
	// tallied: 1000 <nil>
}

// BenchmarkCounters has 64 goroutines count, on disk.
func BenchmarkCounters(b *testing.B) {
	ctx := context.Background()
	for _, durability := range []siltstone.Durability{siltstone.SyncDurability, siltstone.BufferedDurability} {
		var all tally
		for name, do := range map[string]func(*siltstone.DB) error{
			"one":     func(db *siltstone.DB) error { return count(db, "n") },
			"spread":  func(db *siltstone.DB) error { return count(db, "n/"+strconv.Itoa(rand.IntN(32))) },
			"order":   func(db *siltstone.DB) error { return order(ctx, db, strconv.Itoa(rand.IntN(1000))) },
			"tallied": func(*siltstone.DB) error { all.count("n"); return nil },
		} {
			b.Run(fmt.Sprintf("%s/%.4s", name, durability), func(b *testing.B) {
				db, err := siltstone.Open(b.TempDir(), &siltstone.Options{Durability: durability})
				check(err)
				defer db.Close()
				stop := every(100*time.Millisecond, func() { check(all.flush(ctx, db)) })
				b.SetParallelism(64 / runtime.GOMAXPROCS(0))
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						check(do(db))
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
