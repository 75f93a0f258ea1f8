package resp

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/siltstonedb/siltstone"
	seeds "github.com/siltstonedb/siltstone/internal/seed"
)

// pipelineWords draw the commands of random pipelines. N is a small number, K a key, F an
// element.
var pipelineWords = []string{
	"SET K N", "SET K N", "SET K N NX", "SET K N XX GET", "SET K N EXAT 33000000000", "SETNX K N", "SET K F",
	"INCR K", "INCR K", "DECR K", "INCRBY K N", "DECRBY K F", "INCRBYFLOAT K 0.5", "APPEND K N",
	"SADD K F", "SADD K F", "SADD K F", "SADD K F F", "SREM K F",
	"HSET K F N", "HSET K F N", "HSET K F N", "HSET K F N F N", "HINCRBY K F N", "HDEL K F",
	"ZADD K N F", "ZADD K N F", "ZADD K N F", "ZADD K F F", "ZADD K nan F", "ZADD K NX F", "ZADD K GT N F", "ZINCRBY K N F",
	"LPUSH K F", "LPUSH K F", "RPUSH K F", "RPUSH K F", "LPOP K",
	"DEL K", "DEL K K", "UNLINK K", "EXPIREAT K 33000000000", "EXPIREAT K 1", "PERSIST K", "EXPIRE K F",
	"GET K", "TYPE K", "EXPIRETIME K", "SCARD K", "ZRANGE K 0 -1 WITHSCORES", "HGETALL K", "LRANGE K 0 -1",
	"MULTI", "EXEC", "EXEC", "DISCARD", "WATCH K", "SELECT 0", "SELECT 3",
	"SET K", "SADD K", "ZADD K N", "NOSUCH K", `SET "" N`, `SADD "" F`,
}

// randomPipeline draws commands, some of them several times with other words.
func randomPipeline(r *rand.Rand, prefix string) (commands []string) {
	for len(commands) < 40 {
		words := pipelineWords[r.IntN(len(pipelineWords))]
		key := prefix + string(rune('a'+r.IntN(5)))
		for range 1 + max(0, r.IntN(40)-20) {
			var cmd []string
			for _, w := range strings.Fields(words) {
				switch w {
				case "K":
					if r.IntN(8) == 0 {
						key = prefix + string(rune('a'+r.IntN(5)))
					}
					w = key
				case "N":
					w = fmt.Sprint(r.IntN(9) - 2)
				case "F":
					w = "f" + fmt.Sprint(r.IntN(30))
				}
				cmd = append(cmd, w)
			}
			commands = append(commands, strings.Join(cmd, " "))
		}
	}
	return commands
}

// TestRandomPipelinesReplyAsCommandsOneByOne sends the same commands together to one store
// and one by one to another, from several clients with keys of their own.
func TestRandomPipelinesReplyAsCommandsOneByOne(t *testing.T) {
	start := seeds.New(t)
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	_, _, together := serveStore(t, Options{Writable: true, SoleWriter: true})
	_, _, single := serveStore(t, Options{Writable: true, SoleWriter: true})
	var clients sync.WaitGroup
	for n := range 4 {
		many, one := dial(t, together), dial(t, single)
		clients.Go(func() {
			r := rand.New(rand.NewPCG(start, uint64(n)))
			for range rounds {
				commands := randomPipeline(r, fmt.Sprint(n))
				got, err := many.exchange(commands)
				var want []string
				for _, cmd := range commands {
					reply, failed := one.exchange([]string{cmd})
					if failed != nil || err != nil {
						t.Error(err, failed)
						return
					}
					want = append(want, reply...)
				}
				for i := range commands {
					if got[i] != want[i] {
						t.Errorf("%s\n%s: %s in a pipeline, %s alone", strings.Join(commands[:i+1], " | "), commands[i], got[i], want[i])
						return
					}
				}
			}
		})
	}
	clients.Wait()
}

// TestPipelinesOfSeveralClientsLoseNothing has clients add to the same keys.
func TestPipelinesOfSeveralClientsLoseNothing(t *testing.T) {
	const clients, rounds = 6, 20
	_, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
	var all sync.WaitGroup
	var mu sync.Mutex
	added := map[string]int{}
	for n := range clients {
		c := dial(t, addr)
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(n)))
			for range rounds {
				var commands []string
				for _, words := range []string{"SADD set m%d", "HSET hash m%d v", "ZADD zset 1 m%d", "RPUSH list m%d"} {
					for range 10 {
						commands = append(commands, fmt.Sprintf(words, r.IntN(200)))
					}
				}
				for i := range 12 {
					commands = append(commands, fmt.Sprintf("INCR counter:%d", (i+n)%3))
				}
				replies, err := c.exchange(commands)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for i, cmd := range commands {
					if key := strings.Fields(cmd)[1]; replies[i] == "1" {
						added[key]++
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	c := dial(t, addr)
	for key, cmd := range map[string]string{"set": "SCARD", "hash": "HLEN", "zset": "ZCARD"} {
		c.want(fmt.Sprint(added[key]), cmd, key)
	}
	c.want(fmt.Sprint(clients*rounds*10), "LLEN", "list")
	for i := range 3 {
		c.want(fmt.Sprintf("%q", fmt.Sprint(clients*rounds*4)), "GET", fmt.Sprintf("counter:%d", i))
	}
}

// TestElementsOfAPipelineAreOneCommit: commands of one name on one key, and commands on
// strings, take few commits, and say rightly which elements are new.
func TestElementsOfAPipelineAreOneCommit(t *testing.T) {
	_, db, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
	c := dial(t, addr)
	for _, words := range []string{"SADD s m%d", "HSET h m%d v", "ZADD z 1 m%d", "INCR n%d", "DEL n%d"} {
		var commands []string
		for i := range 200 {
			commands = append(commands, fmt.Sprintf(words, i%150))
		}
		before := db.Metrics().Commits.Count
		replies := c.pipeline(commands...)
		if n := db.Metrics().Commits.Count - before; n > 100 {
			t.Errorf("200 of %s took %d commits", words, n) // they may have come in several parts
		}
		if ones := len(slices.DeleteFunc(replies, func(r string) bool { return r != "1" })); ones != 150 {
			t.Errorf("%s: %d replies are 1", words, ones)
		}
	}
}

// TestRepliesBeforeAWaitAreWhole: a client may be served as soon as it waits, and then the
// replies to what it sent before must have been written. While they are, for as long as the
// client likes, it does not wait yet: what somebody pushes then reaches it all the same.
func TestRepliesBeforeAWaitAreWhole(t *testing.T) {
	s, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true, Durability: siltstone.OSDurability})
	near, far := net.Pipe() // a write ends when all of it has been read
	defer near.Close()
	go s.ServeConn(far)
	waiter := &client{t, near, bufio.NewReaderSize(near, 16)}
	for round := range 3 {
		if _, err := near.Write(slices.Concat(encode("SET", "a", "1"), encode("BLPOP", "l", "0"))); err != nil {
			t.Fatal(err)
		}
		var first [1]byte
		if _, err := io.ReadFull(near, first[:]); err != nil || first[0] != '+' {
			t.Fatal(first, err)
		}
		dial(t, addr).want("1", "RPUSH", "l", fmt.Sprint(round))
		if rest, err := waiter.r.ReadString('\n'); rest != "OK\r\n" {
			t.Fatal(rest, err)
		}
		if got, want := waiter.receive(), fmt.Sprintf(`["l" "%d"]`, round); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
