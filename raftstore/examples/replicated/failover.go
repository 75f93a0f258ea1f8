package main

import (
	"fmt"
	"net/url"
	"sync"
	"time"
)

// load is clients that append numbered items to a list, each to any node that answers.
// An item that was not answered is sent again, to the next node, under the same id.
type load struct {
	c    *processes
	end  time.Time
	work sync.WaitGroup

	mu           sync.Mutex
	acknowledged map[string]bool
	sentAgain    int
	last         time.Time // when one was acknowledged
	gap          time.Duration
	latencies    []time.Duration
}

func startLoad(c *processes, clients int, length time.Duration) *load {
	l := &load{c: c, end: time.Now().Add(length), acknowledged: map[string]bool{}, last: time.Now()}
	for id := range clients {
		l.work.Go(func() {
			for n := 0; time.Now().Before(l.end); n++ {
				l.append(id, fmt.Sprintf("%d.%d", id, n))
			}
		})
	}
	return l
}

// append appends one item, and gives up half a minute after the end.
func (l *load) append(client int, item string) {
	id, at := newID(), time.Now()
	for try := 0; time.Now().Before(l.end.Add(30 * time.Second)); try++ {
		node := l.c.http((client + try) % l.c.size)
		var length int64
		err := post(node, "/append", id, url.Values{"list": {"items"}, "item": {item}}, &length)
		now := time.Now()
		l.mu.Lock()
		if err == nil {
			l.acknowledged[item] = true
			l.latencies = append(l.latencies, now.Sub(at))
			l.gap, l.last = max(l.gap, now.Sub(l.last)), now
			l.mu.Unlock()
			return
		}
		l.sentAgain++
		l.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
	}
}

// count waits for the clients, and holds what was acknowledged against the list.
func (l *load) count() (found, lost, duplicated int, err error) {
	l.work.Wait()
	leader, err := l.c.leader(30 * time.Second)
	if err != nil {
		return 0, 0, 0, err
	}
	var items []string
	if err := get(l.c.http(leader), "/list?name=items", &items); err != nil {
		return 0, 0, 0, err
	}
	times := map[string]int{}
	for _, item := range items {
		times[item]++
	}
	for item := range l.acknowledged {
		if times[item] == 0 {
			lost++
		}
	}
	for _, n := range times {
		duplicated += n - 1
	}
	return len(items), lost, duplicated, nil
}

// failover kills the leader under load, starts it again, and prints what became of the
// items.
func failover(c *processes, clients int, length time.Duration) error {
	l := startLoad(c, clients, length)
	time.Sleep(length / 3)
	leader, err := c.leader(30 * time.Second)
	if err != nil {
		return err
	}
	fmt.Printf("killing node %d, which leads\n", leader)
	if err := c.kill(leader); err != nil {
		return err
	}
	time.Sleep(length / 3)
	if err := c.start(leader); err != nil {
		return err
	}
	found, lost, duplicated, err := l.count()
	if err != nil {
		return err
	}
	sum, err := c.equal(30 * time.Second)
	if err != nil {
		return err
	}
	fmt.Printf("acknowledged %d, found %d, lost %d, duplicated %d\n", len(l.acknowledged), found, lost, duplicated)
	fmt.Printf("sent again %d; the longest time without an acknowledgement was %v\n", l.sentAgain, l.gap.Round(time.Millisecond))
	fmt.Printf("all nodes are equal: command and checksum %s\n", sum)
	if lost > 0 || duplicated > 0 {
		return fmt.Errorf("%d items were lost, %d are there more than once", lost, duplicated)
	}
	return nil
}
