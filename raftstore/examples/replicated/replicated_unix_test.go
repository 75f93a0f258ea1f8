//go:build unix

package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/seed"
)

var long = flag.Bool("long", false, "kill and pause processes for minutes")

// TestMain is a node in the processes that tests start.
func TestMain(m *testing.M) {
	if os.Getenv(asNode) != "" {
		if err := run(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// port returns the first of some ports that are likely to be free: they are below those
// that systems give to connections.
func port() int { return 21000 + os.Getpid()%110*100 }

func TestAKilledLeaderLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	err := withCluster(t.TempDir(), 3, port(), func(c *processes) error { return failover(c, 8, 3*time.Second) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestProcessesAreKilledAndPausedUnderLoad kills nodes with no warning and stops others
// for seconds, so that a leader wakes and believes that it leads. Nothing that was
// acknowledged is lost or there twice, a read never shows less than an earlier one, and in
// the end all nodes are equal.
func TestProcessesAreKilledAndPausedUnderLoad(t *testing.T) {
	if !*long {
		t.Skip("takes minutes: -long")
	}
	for i, size := range []int{3, 5} {
		t.Run(fmt.Sprint(size, " nodes"), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed.New(t), uint64(size)))
			err := withCluster(t.TempDir(), size, port()+10*(i+1), func(c *processes) error { return harass(t, c, rng, 12) })
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func harass(t *testing.T, c *processes, rng *rand.Rand, rounds int) error {
	l := startLoad(c, 8, time.Duration(rounds)*5*time.Second)
	stop := make(chan struct{})
	reads := make(chan int, 1)
	go func() { reads <- watch(t, c, stop) }()
	for range rounds {
		time.Sleep(time.Second)
		victim := rng.IntN(c.size)
		if rng.IntN(2) == 0 {
			if leader, err := c.leader(20 * time.Second); err == nil {
				victim = leader
			}
		}
		if rng.IntN(2) == 0 {
			if err := c.kill(victim); err != nil {
				return err
			}
			time.Sleep(time.Duration(500+rng.IntN(2000)) * time.Millisecond)
			if err := c.start(victim); err != nil {
				return err
			}
			continue
		}
		p := c.running[victim].cmd.Process
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(time.Duration(500+rng.IntN(3000)) * time.Millisecond)
		if err := p.Signal(syscall.SIGCONT); err != nil {
			return err
		}
	}
	found, lost, duplicated, err := l.count()
	close(stop)
	if err != nil {
		return err
	}
	sum, err := c.equal(time.Minute)
	if err != nil {
		return err
	}
	t.Logf("acknowledged %d, found %d, lost %d, duplicated %d; sent again %d, longest gap %v, %d reads; %s",
		len(l.acknowledged), found, lost, duplicated, l.sentAgain, l.gap.Round(time.Millisecond), <-reads, sum)
	if lost > 0 || duplicated > 0 || len(l.acknowledged) == 0 {
		t.Error("items were lost, or are there twice, or there are none")
	}
	return nil
}

// watch writes a rising number with one client and reads it, linearizably, from another
// node: it never reads less than it has written or read before. A write whose outcome it
// does not know may still come, so that it goes on with another key.
func watch(t *testing.T, c *processes, stop chan struct{}) (reads int) {
	for n, key, least := 1, 0, 0; ; n++ {
		select {
		case <-stop:
			return reads
		default:
		}
		name := fmt.Sprint("n", key)
		var ok bool
		if post(c.http(n%c.size), "/put", newID(), url.Values{"key": {name}, "value": {fmt.Sprint(n)}}, &ok) != nil {
			key, least = key+1, 0
			continue
		}
		least = n
		var text string
		if get(c.http((n+1)%c.size), "/get?key="+name, &text) != nil {
			continue
		}
		reads++
		if text != fmt.Sprint(least) {
			t.Errorf("read %s after %d", text, least)
		}
	}
}
