package raftstore

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone"
)

// BenchmarkDo runs commands on three replicas in this process, asked by a few dozen
// clients of the leader.
func BenchmarkDo(b *testing.B) {
	c := newCluster(b, 3, quick)
	lead := c.leader().store()
	if _, err := setCommand.Do(bg, lead, setArg{"k", "v"}); err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := setCommand.Do(bg, lead, setArg{fmt.Sprint("key ", n.Add(1)), "a value of some length, which a service might have"}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkDoAlone runs one command after the other.
func BenchmarkDoAlone(b *testing.B) {
	c := newCluster(b, 3, quick)
	lead := c.leader().store()
	for i := range b.N {
		if _, err := setCommand.Do(bg, lead, setArg{fmt.Sprint("key ", i), "a value of some length, which a service might have"}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkView reads one key on the leader, at each level, and on a follower.
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
				b.SetParallelism(16)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						err := s.View(bg, r, func(tx *siltstone.Tx) error {
							in, err := In(tx, "registers")
							if err != nil {
								return err
							}
							_, err = in.Get([]byte("k"))
							return err
						})
						if err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}
