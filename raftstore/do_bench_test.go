package raftstore

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

// timed runs call b.N times, by so many clients at a time, and reports how long one takes.
func timed(b *testing.B, clients int, call func() error) {
	var mu sync.Mutex
	var all []time.Duration
	b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for pb.Next() {
			at := time.Now()
			if err := call(); err != nil {
				b.Error(err)
			}
			mine = append(mine, time.Since(at))
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, mine...)
	})
	b.StopTimer()
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkDo runs commands of a key and 50 bytes on replicas in this process, by clients
// of the leader. Beside the time it reports what a command costs the leader: bytes that are
// sent, and syncs and bytes of raft's log.
func BenchmarkDo(b *testing.B) {
	for _, size := range []int{3, 5} {
		for _, clients := range []int{runtime.GOMAXPROCS(0), 32, 256} {
			b.Run(fmt.Sprintf("%d replicas/%d clients", size, clients), func(b *testing.B) {
				c := newCluster(b, size, quick)
				lead := c.leader().store()
				var n atomic.Int64
				set := func() error {
					_, err := setCommand.Do(bg, lead, setArg{fmt.Sprint("key ", n.Add(1)), "a value of some length, which a service might have"})
					return err
				}
				if err := set(); err != nil {
					b.Fatal(err)
				}
				before, log := lead.Metrics(), lead.log.db.Metrics()
				timed(b, clients, set)
				done, logged := lead.Metrics().Sub(before), lead.log.db.Metrics().Sub(log)
				b.ReportMetric(float64(done.Network.SentBytes)/float64(b.N), "sent-B/op")
				b.ReportMetric(float64(logged.Log.Syncs.Count)/float64(b.N), "syncs/op")
				b.ReportMetric(float64(logged.Commits.Bytes)/float64(b.N), "log-B/op")
			})
		}
	}
}

// BenchmarkView reads one key on the leader and on a follower, at each level.
func BenchmarkView(b *testing.B) {
	c := newCluster(b, 3, quick)
	if _, err := setCommand.Do(bg, c.leader().store(), setArg{"k", "v"}); err != nil {
		b.Fatal(err)
	}
	nodes := map[string]*node{"leader": c.leader(), "follower": c.follower()}
	for _, r := range []Read{LinearizableRead, LeasedRead, LocalRead} {
		for _, name := range []string{"leader", "follower"} {
			s := nodes[name].store()
			b.Run(fmt.Sprintf("%v/%s", r, name), func(b *testing.B) {
				timed(b, 32, func() error {
					return s.View(bg, r, func(tx *siltstone.Tx) error {
						in, err := In(tx, "registers")
						if err != nil {
							return err
						}
						_, err = in.Get([]byte("k"))
						return err
					})
				})
			})
		}
	}
}
