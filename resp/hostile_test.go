package resp

import (
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// attacks are what a client may do that means no good. Each gets a connection, and leaves it
// when it has had enough.
var attacks = []struct {
	name string
	do   func(c net.Conn, r *rand.Rand)
}{
	{"noise", func(c net.Conn, r *rand.Rand) {
		b := make([]byte, 1+r.IntN(2000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		send(c, b)
	}},
	{"half a frame", func(c net.Conn, r *rand.Rand) {
		b := encode("SET", "hostile", strings.Repeat("x", r.IntN(3000)))
		send(c, b[:r.IntN(len(b))])
	}},
	{"a broken frame", func(c net.Conn, r *rand.Rand) {
		b := encode("SET", "hostile", "value")
		b[r.IntN(len(b))] = byte(r.Uint32())
		send(c, b)
	}},
	{"an array that never comes", func(c net.Conn, _ *rand.Rand) { send(c, []byte("*1000000\r\n$500000000\r\nabc")) }},
	{"a string that never comes", func(c net.Conn, _ *rand.Rand) {
		send(c, []byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$67000000\r\n"))
		send(c, make([]byte, 1000))
	}},
	{"lengths", func(c net.Conn, r *rand.Rand) {
		send(c, []byte([]string{"*-9\r\n", "*99999999999999999999\r\n", "*1\r\n$-9\r\n", "*1\r\n$99999999999\r\n", "*1\r\n$+1\r\na\r\n", "$5\r\nhello\r\n"}[r.IntN(6)]))
	}},
	{"a line without an end", func(c net.Conn, _ *rand.Rand) { send(c, []byte(strings.Repeat("x", 80_000))) }},
	{"HTTP", func(c net.Conn, _ *rand.Rand) {
		send(c, []byte("POST / HTTP/1.1\r\nHost: localhost\r\n\r\nFLUSHALL\r\n"))
	}},
	{"bytes, one by one", func(c net.Conn, _ *rand.Rand) {
		for _, b := range encode("PING") {
			send(c, []byte{b})
		}
	}},
	{"replies that nobody reads", func(c net.Conn, _ *rand.Rand) {
		for range 20 {
			send(c, []byte(strings.Repeat("GET large\r\n", 200)))
		}
	}},
	{"a transaction without an end", func(c net.Conn, _ *rand.Rand) {
		send(c, []byte("WATCH honest\r\nMULTI\r\n"))
		send(c, []byte(strings.Repeat("SET hostile 1\r\n", 500)))
	}},
	{"waiting and leaving", func(c net.Conn, _ *rand.Rand) { send(c, []byte("BLPOP nothing 0\r\nPING\r\n")) }},
	{"many channels", func(c net.Conn, _ *rand.Rand) { send(c, []byte(strings.Repeat("SUBSCRIBE a b c d e\r\n", 100))) }},
	{"patterns", func(c net.Conn, _ *rand.Rand) {
		send(c, []byte("KEYS "+strings.Repeat("a*", 50)+"b\r\nSCAN 0 MATCH "+strings.Repeat("[", 500)+"\r\n"))
	}},
	{"nothing", func(net.Conn, *rand.Rand) {}},
}

// send writes as far as the other side lets it.
func send(c net.Conn, b []byte) {
	_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	_, _ = c.Write(b)
}

// TestHostileClientsHarmNobody lets thousands of hostile clients come and go while an honest
// one works: it has every reply, and the memory of the process stays bounded.
func TestHostileClientsHarmNobody(t *testing.T) {
	total := 600
	if *long {
		total = 10_000
	}
	s, db, addr := serveStore(t, Options{Writable: true, MaxClients: 300, MaxCommandBytes: 1 << 20, MaxBufferBytes: 8 << 20, WriteTimeout: time.Second})
	if err := db.Put([]byte("large"), make([]byte, 20_000)); err != nil {
		t.Fatal(err)
	}
	honest := dial(t, addr)
	honest.want("+OK", "SET", "honest", "0")
	var peak atomic.Uint64
	done := make(chan struct{})
	var group sync.WaitGroup
	next := atomic.Int64{}
	for worker := range 32 {
		r := rand.New(rand.NewPCG(uint64(worker), 7))
		group.Go(func() {
			for {
				n := int(next.Add(1))
				if n > total {
					return
				}
				c, err := net.Dial("tcp", addr)
				if err != nil {
					continue
				}
				attacks[n%len(attacks)].do(c, r)
				if n%3 == 0 {
					time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
				}
				c.Close()
			}
		})
	}
	go func() { group.Wait(); close(done) }()
	rounds := 0
	for running := true; running; rounds++ {
		select {
		case <-done:
			running = false
		default:
		}
		honest.want(fmt.Sprint(rounds+1), "INCR", "honest")
		var m runtime.MemStats
		if rounds%50 == 0 {
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
		}
		if used := s.buffers.Load(); used > 8<<20 {
			t.Fatalf("%d bytes of buffers, where 8 MiB are the limit", used)
		}
	}
	t.Logf("%d hostile clients, %d replies to the honest one meanwhile, heap at most %d MiB", total, rounds, peak.Load()>>20)
	if peak.Load() > 200<<20 {
		t.Errorf("the heap had %d MiB", peak.Load()>>20)
	}
	until(t, "the connections have ended", func() bool { return len(s.clients()) == 1 })
}

func TestEachAttackEndsItsConnectionOrIsAnswered(t *testing.T) {
	_, _, addr := serveStore(t, Options{Writable: true, MaxCommandBytes: 1 << 20})
	r := rand.New(rand.NewPCG(1, 1))
	for _, a := range attacks {
		c := dial(t, addr)
		a.do(c.conn, r)
		c.conn.Close()
		dial(t, addr).want("+PONG", "PING")
	}
}

func TestTheLimitsOfAConnection(t *testing.T) {
	s, db, addr := serveStore(t, Options{Writable: true, MaxClients: 3, MaxCommandBytes: 100_000, MaxBufferBytes: 150_000})
	c, d := dial(t, addr), dial(t, addr)
	c.want("+PONG", "PING")
	d.want("+PONG", "PING")

	// A command, and a reply, that is too large.
	c.send("SET", "k", strings.Repeat("x", 100_001))
	if got := c.receive(); got != "-ERR Protocol error: invalid bulk length" {
		t.Error(got)
	}
	if !c.closed() {
		t.Error("the connection goes on after a length that is too large")
	}
	for i := range 20 {
		if _, err := db.List("l").PushBack([]byte(strings.Repeat("x", 10_000))); err != nil {
			t.Fatal(i, err)
		}
	}
	d.want("-"+string(errReplyTooLong), "LRANGE", "l", "0", "-1")
	d.want("20", "LLEN", "l")

	// What MULTI keeps is bounded.
	d.want("+OK", "MULTI")
	for range 10 {
		d.do("SET", "k", strings.Repeat("x", 20_000))
	}
	d.want("-"+string(errExecAbort), "EXEC")

	// Too many connections.
	var last *client
	for range 3 {
		last = dial(t, addr)
	}
	if got := last.receive(); got != "-ERR max number of clients reached" {
		t.Error(got)
	}
	if s.refused.Load() == 0 {
		t.Error("no connection was refused")
	}
}

func TestSilentClientsAreEnded(t *testing.T) {
	s, _, addr := serveStore(t, Options{IdleTimeout: 50 * time.Millisecond})
	silent, listening := dial(t, addr), dial(t, addr)
	silent.want("+PONG", "PING")
	listening.do("SUBSCRIBE", "a")
	if !silent.closed() {
		t.Error("a silent client is kept")
	}
	until(t, "only the subscriber is left", func() bool { return len(s.clients()) == 1 })
	dial(t, addr).want("1", "PUBLISH", "a", "b")
	if got := listening.receive(); got != `["message" "a" "b"]` {
		t.Error(got)
	}
}

// TestASlowSubscriberHoldsNobody: it is ended, and who publishes never waits.
func TestASlowSubscriberHoldsNobody(t *testing.T) {
	s, _, addr := serveStore(t, Options{Writable: true, MaxBufferBytes: 4 << 20, WriteTimeout: time.Minute})
	slow := dial(t, addr)
	slow.do("SUBSCRIBE", "a")
	c := dial(t, addr)
	message := strings.Repeat("x", 100_000)
	for range 1000 {
		if c.do("PUBLISH", "a", message) == "0" {
			break
		}
	}
	c.want("0", "PUBLISH", "a", message)
	until(t, "the slow one has gone", func() bool { return len(s.clients()) == 1 })
}

// TestOneLargeElementManyTimes asks for one value again and again in a command. The reply is
// refused before it takes more memory than a reply may.
func TestOneLargeElementManyTimes(t *testing.T) {
	_, _, addr := serveStore(t, Options{Writable: true, MaxCommandBytes: 1 << 20})
	c := dial(t, addr)
	large, name := strings.Repeat("v", 100_000), strings.Repeat("n", 60_000)
	c.want("+OK", "SET", "k", large)
	c.want("1", "HSET", "h", "f", large)
	c.want("1", "SADD", "s", name)
	c.want("1", "ZADD", "z", "1", name)
	const times = 3000
	again := func(name string, args ...string) []string {
		for range times {
			args = append(args, name)
		}
		return args
	}
	for _, args := range [][]string{
		again("k", "MGET"), again("f", "HMGET", "h"), again("f", "HGETDEL", "h", "FIELDS", fmt.Sprint(times)), again("f", "HGETEX", "h", "FIELDS", fmt.Sprint(times)),
		{"HRANDFIELD", "h", fmt.Sprint(-times), "WITHVALUES"}, {"SRANDMEMBER", "s", fmt.Sprint(-times)}, {"ZRANDMEMBER", "z", fmt.Sprint(-times)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got := c.do(args...); !strings.Contains(got, "larger than") {
			t.Errorf("%q: %.80s, want an error", args[0], got)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
			t.Errorf("%s took %d bytes for a reply of 1 MiB at most", args[0], n)
		}
	}
	c.want("1", "HLEN", "h")
}

// TestNothingIsTakenWithoutItsReply: if a reply is too long, what it would have held stays in
// the store.
func TestNothingIsTakenWithoutItsReply(t *testing.T) {
	_, _, addr := serveStore(t, Options{Writable: true, MaxCommandBytes: 100_000})
	c := dial(t, addr)
	large := func(first string) string { return first + strings.Repeat("x", 40_000) }
	for _, n := range []string{"1", "2", "3"} {
		c.do("RPUSH", "l", large(n))
		c.do("SADD", "s", large(n))
		c.do("ZADD", "z", n, large(n))
		c.do("HSET", "h", n, large(n))
		c.do("APPEND", "k", large(n))
	}
	for _, args := range [][]string{
		{"LPOP", "l", "3"}, {"RPOP", "l", "9"}, {"LMPOP", "1", "l", "LEFT", "COUNT", "3"}, {"BLMPOP", "1", "1", "l", "LEFT", "COUNT", "3"},
		{"SPOP", "s", "3"}, {"ZPOPMIN", "z", "3"}, {"ZPOPMAX", "z", "3"}, {"ZMPOP", "1", "z", "MIN", "COUNT", "3"}, {"BZMPOP", "1", "1", "z", "MIN", "COUNT", "3"},
		{"HGETDEL", "h", "FIELDS", "3", "1", "2", "3"}, {"GETDEL", "k"}, {"GETSET", "k", "v"}, {"SET", "k", "v", "GET"},
	} {
		if got := c.do(args...); !strings.Contains(got, "larger than") {
			t.Errorf("%q: %.80s, want an error", args, got)
		}
		c.want("+OK", "MULTI")
		c.want("+QUEUED", args...)
		if got := c.do("EXEC"); !strings.Contains(got, "larger than") {
			t.Errorf("%q in EXEC: %.80s, want an error", args, got)
		}
		for _, size := range [][2]string{{"LLEN", "l"}, {"SCARD", "s"}, {"ZCARD", "z"}, {"HLEN", "h"}} {
			if got := c.do(size[:]...); got != "3" {
				t.Errorf("after %q: %q is %s, want 3", args, size, got)
			}
		}
		c.want("120003", "STRLEN", "k")
	}
}

// TestWhatAConnectionRemembersIsBounded: the names of channels, of watched keys and of keys
// that are waited for count as buffers, and the connection gives them back.
func TestWhatAConnectionRemembersIsBounded(t *testing.T) {
	s, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true, MaxBufferBytes: 4 << 20})
	names := func(prefix string) (all []string) {
		for i := range 50 {
			all = append(all, fmt.Sprint(prefix, i, strings.Repeat("n", 40_000)))
		}
		return all
	}
	for _, cmd := range []string{"SUBSCRIBE", "PSUBSCRIBE", "WATCH"} {
		c := dial(t, addr)
		full := false
		for round := 0; round < 10 && !full; round++ {
			for _, name := range names(fmt.Sprint(round, "/")) {
				full = full || strings.Contains(c.do(cmd, name), "buffers are full")
			}
		}
		if !full {
			t.Errorf("%s remembers 20 MB, and the limit of all buffers is 4 MiB", cmd)
		}
		c.want("+RESET", "RESET")
		until(t, "the names are given back", func() bool { return s.buffers.Load() == 0 })
	}
	c := dial(t, addr)
	c.send(append(append([]string{"BLPOP"}, names("k")...), "0")...)
	if got := c.receive(); !strings.Contains(got, "buffers are full") {
		t.Errorf("%.80s, want an error: the command and its copy are more than the limit", got)
	}
	c.want("+PONG", "PING")
}

// TestWaitingForManyKeysIsQuick: a command that waits for very many keys holds nobody.
func TestWaitingForManyKeysIsQuick(t *testing.T) {
	s, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
	c := dial(t, addr)
	args := []string{"BLPOP"}
	for i := range 200_000 {
		args = append(args, fmt.Sprint("key:", i))
	}
	c.send(append(args, "0")...)
	until(t, "the client waits", func() bool { return s.interest.count.Load() == 1 })
	dial(t, addr).want("1", "RPUSH", "key:199999", "v")
	if got := c.receive(); got != `["key:199999" "v"]` {
		t.Error(got)
	}
}
