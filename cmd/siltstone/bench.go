package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/spf13/cobra"
)

func (t *tool) benchCommand() *cobra.Command {
	var length time.Duration
	b := bench{workers: 4, valueBytes: 100}
	cmd := &cobra.Command{
		Use:     "bench [DIR]",
		GroupID: groupCare,
		Short:   "A first impression of the speed of a store on this disk",
		Long: `Run seven small loads on a new store, for 20 seconds in all, and show operations
a second and latencies. The store is made in a directory of its own below DIR,
or below the system's directory for temporary files, and removed at the end.
DIR decides which disk is measured.

It is a first impression on this machine, with no other store beside it: the
module bench compares engines.`,
		Example: `  siltstone bench /var/lib/app
  siltstone bench /var/lib/app --for 60s --workers 16 --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if length < 100*time.Millisecond || b.workers < 1 || b.workers > 1024 || b.valueBytes < 1 || b.valueBytes > 1<<20 {
				return usagef("--for is at least 100ms, --workers 1 to 1024, --value 1 to 1048576")
			}
			parent := os.TempDir()
			if len(args) > 0 {
				parent = args[0]
			}
			b.each = length / time.Duration(len(loads))
			return t.bench(cmd.Context(), parent, &b)
		},
	}
	cmd.Flags().DurationVar(&length, "for", 20*time.Second, "how long in all")
	cmd.Flags().IntVar(&b.workers, "workers", b.workers, "goroutines that call the store")
	cmd.Flags().IntVar(&b.valueBytes, "value", b.valueBytes, "bytes of a value")
	return cmd
}

// bench is one run over one store.
type bench struct {
	workers    int
	valueBytes int
	each       time.Duration // of each load

	db   *siltstone.DB
	keys atomic.Int64 // that were written: their numbers are below it
}

// load is one kind of work. op does it once, as the n-th operation, and returns how many
// operations it counts for.
type load struct {
	name string
	op   func(b *bench, r *rand.Rand, n int64) (int64, error)
}

// loads are run in this order: the first one writes what the others read.
var loads = []load{
	{"fill, batches of 1,000", (*bench).fill},
	{"put, durable", func(b *bench, r *rand.Rand, _ int64) (int64, error) {
		return 1, b.db.Put(b.key(r.Int64N(b.keys.Load())), b.value(r))
	}},
	{"get, present", func(b *bench, r *rand.Rand, _ int64) (int64, error) {
		_, err := b.db.Get(b.key(r.Int64N(b.keys.Load())))
		return 1, err
	}},
	{"get, absent", func(b *bench, r *rand.Rand, _ int64) (int64, error) {
		_, err := b.db.Get(fmt.Appendf(nil, "key%011dx", r.Int64N(b.keys.Load())))
		if errors.Is(err, siltstone.ErrNotFound) {
			err = nil
		}
		return 1, err
	}},
	{"scan, 100 keys each", (*bench).scan},
	{"update, read and write", func(b *bench, r *rand.Rand, _ int64) (int64, error) {
		return 1, b.db.Update(context.Background(), func(tx *siltstone.Tx) error {
			tx.SetDurability(siltstone.BufferedDurability)
			_, err := tx.String(fmt.Sprint("counter", r.IntN(1000))).Incr(1)
			return err
		})
	}},
	{"sorted set, add and rank", func(b *bench, r *rand.Rand, _ int64) (int64, error) {
		return 1, b.db.Update(context.Background(), func(tx *siltstone.Tx) error {
			tx.SetDurability(siltstone.BufferedDurability)
			m := typed.Member{Name: fmt.Sprint(r.IntN(10_000)), Score: r.Float64()}
			if _, err := tx.ZSet("board").Add(m.Name, m.Score); err != nil {
				return err
			}
			_, err := tx.ZSet("board").Rank(m.Name)
			return err
		})
	}},
}

func (b *bench) key(n int64) []byte { return fmt.Appendf(nil, "key%012d", n) }

// value returns bytes of which half can be compressed away.
func (b *bench) value(r *rand.Rand) []byte {
	v := make([]byte, b.valueBytes)
	for i := range len(v) / 2 {
		v[i] = byte(r.Uint32())
	}
	return v
}

func (b *bench) fill(r *rand.Rand, _ int64) (int64, error) {
	const batch = 1000
	var all siltstone.Batch
	first := b.keys.Add(batch) - batch
	for i := range int64(batch) {
		all.Put(b.key(first+i), b.value(r))
	}
	return batch, b.db.Apply(&all, siltstone.BufferedDurability)
}

func (b *bench) scan(r *rand.Rand, _ int64) (n int64, err error) {
	from := siltstone.Range{Lower: b.key(r.Int64N(b.keys.Load()))}
	for _, err := range siltstone.Limit(b.db.Scan(from), 100) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// result is what a load came to.
type result struct {
	name      string
	ops       int64
	took      time.Duration
	latencies []time.Duration // of single calls, sorted
}

func (r result) quantile(q float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(len(r.latencies)-1, int(q*float64(len(r.latencies))))]
}

// keptLatencies is how many calls of a goroutine are timed.
const keptLatencies = 200_000

// run runs one load in all goroutines.
func (b *bench) run(ctx context.Context, l load) (result, error) {
	var mu sync.Mutex
	var first error
	res := result{name: l.name}
	ctx, cancel := context.WithTimeout(ctx, b.each)
	defer cancel()
	begin := time.Now()
	var group sync.WaitGroup
	for w := range b.workers {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			var mine []time.Duration
			var ops int64
			var err error
			for n := int64(0); ctx.Err() == nil && err == nil; n++ {
				at := time.Now()
				var did int64
				did, err = l.op(b, r, n)
				if ops += did; len(mine) < keptLatencies {
					mine = append(mine, time.Since(at))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			res.ops += ops
			res.latencies = append(res.latencies, mine...)
			if first == nil {
				first = err
			}
		})
	}
	group.Wait()
	res.took = time.Since(begin)
	slices.Sort(res.latencies)
	return res, first
}

func (t *tool) bench(ctx context.Context, parent string, b *bench) (err error) {
	dir, err := os.MkdirTemp(parent, "siltstone-bench-")
	if err != nil {
		return advise(codeError{exitError, err}, "DIR is a directory that is there and may be written to")
	}
	defer func() {
		if rerr := os.RemoveAll(dir); err == nil {
			err = rerr
		}
	}()
	if b.db, err = siltstone.Open(filepath.Join(dir, "store"), &siltstone.Options{MemoryLimit: t.memory.bytes}); err != nil {
		return err
	}
	defer closing(b.db, &err)
	if !t.json {
		t.out.printf("%d goroutines, values of %s, memory limit %s, in %s\n\n", b.workers, counted(b.valueBytes, "byte"), size(t.memory.bytes), parent)
		t.out.printf("%-26s  %12s  %10s  %10s  %10s\n", "", "per second", "p50", "p99", "max")
	}
	for _, l := range loads {
		if err := t.out.Flush(); err != nil {
			return err
		}
		r, err := b.run(ctx, l)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if err := t.result(r); err != nil {
			return err
		}
	}
	if t.json {
		return nil
	}
	m := b.db.Metrics()
	t.out.printf("\n%s on disk of %s keys; write amplification %.1f; log sync p99 %v\n",
		size(m.Disk.Total()), count(b.keys.Load()), m.WriteAmplification(), m.Log.Syncs.Quantile(0.99))
	return nil
}

// result writes a line. The latency is that of a call, which for a batch or a scan is many
// operations.
func (t *tool) result(r result) error {
	rate := int64(float64(r.ops) / r.took.Seconds())
	if t.json {
		j := t.out.object()
		j.Text("load", r.name)
		j.Int("operations", r.ops)
		j.Int("per_second", rate)
		j.Int("p50_ns", int64(r.quantile(0.5)))
		j.Int("p99_ns", int64(r.quantile(0.99)))
		j.Int("max_ns", int64(r.quantile(1)))
		return t.out.write()
	}
	t.out.printf("%-26s  %12s  %10s  %10s  %10s\n", r.name, count(rate), lasting(r.quantile(0.5)), lasting(r.quantile(0.99)), lasting(r.quantile(1)))
	return nil
}
