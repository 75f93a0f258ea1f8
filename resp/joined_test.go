package resp

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// pipeline is exchange for the goroutine of the test.
func (c *client) pipeline(commands ...string) []string {
	c.t.Helper()
	replies, err := c.exchange(commands)
	if err != nil {
		c.t.Fatal(err)
	}
	return replies
}

// exchange sends commands together, and returns their replies.
func (c *client) exchange(commands []string) (replies []string, err error) {
	var b []byte
	for _, cmd := range commands {
		if words, inline := strings.CutPrefix(cmd, "inline "); inline {
			b = append(b, words+"\r\n"...)
			continue
		}
		words := strings.Fields(cmd)
		for i, w := range words {
			if w == `""` {
				words[i] = ""
			}
		}
		b = append(b, encode(words...)...)
	}
	if _, err := c.conn.Write(b); err != nil {
		return nil, err
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for range commands {
		reply, err := readReply(c.r)
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

// TestJoinedCommandsReplyAsIfAlone sends pipelines whose commands may be made one commit,
// with others and with mistakes between them.
func TestJoinedCommandsReplyAsIfAlone(t *testing.T) {
	for _, pipeline := range []string{
		"SET a 1 | SET b 2 | SET a 3 | GET a | SET a 4 | MGET a b",
		`SET a 1 | SET "" 2 | SET b 3 | MGET a b`,
		"SET a 1 | SET b | SET c 3 | SET d 4 NX | SET d 5 NX | set e 6 | MGET a c d e",
		"LPUSH l 1 | LPUSH l 2 | LPUSH l 3 | RPUSH l 4 | RPUSH l 5 | RPUSH l 6 7 | LPUSH m 1 | LPUSH m 2 | LRANGE l 0 -1",
		"ZADD z 1 a | ZADD z 2 a | ZADD z -0 b | ZADD z INCR b | ZADD z inf c | ZADD z nan d | ZADD z x e | ZADD z 3 f | ZRANGE z 0 -1 WITHSCORES",
		"SET s 1 | ZADD s 1 a | ZADD s 2 b | GET s",
		"SET s 1 | LPUSH s 1 | LPUSH s 2 | RPUSH s 3 | GET s",
		"MULTI | SET a 1 | SET b 2 | LPUSH l 1 | LPUSH l 2 | EXEC | SET a 3 | SET b 4 | MGET a b",
		"SELECT 3 | SET a 1 | SET b 2 | LPUSH l 1 | LPUSH l 2 | SELECT 0 | EXISTS a b l | SELECT 3 | EXISTS a b l",
		"SET a 1 | inline SET b 2 | inline SET c 3 | SET d 4 | SET e 5 | MGET a b c d e",
		"SET a 1 | SET b 2 | NOSUCH | SET c 3 | SET d 4 | MGET a b c d",
		"SET a 1 | SET b 2 | BLPOP l 0.001 | SET a 5 | SET b 6 | MGET a b",
	} {
		_, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
		commands := strings.Split(pipeline, " | ")
		together := dial(t, addr).pipeline(commands...)
		alone := dial(t, addr)
		alone.do("FLUSHALL")
		for i, cmd := range commands {
			if got := alone.pipeline(cmd)[0]; got != together[i] {
				t.Errorf("%s\n%s: %s in a pipeline, %s alone", pipeline, cmd, together[i], got)
			}
		}
	}
}

func TestSetsAndPushesOfAPipelineAreOneCommit(t *testing.T) {
	_, db, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
	c := dial(t, addr)
	var commands []string
	for i := range 100 {
		commands = append(commands, fmt.Sprintf("SET key:%d %d", i, i))
	}
	for i := range 100 {
		commands = append(commands, fmt.Sprintf("LPUSH list %d", i))
	}
	before := db.Metrics().Commits.Count
	for i, reply := range c.pipeline(commands...) {
		want := "+OK"
		if i >= 100 {
			want = fmt.Sprint(i - 99)
		}
		if reply != want {
			t.Errorf("%s: %s, want %s", commands[i], reply, want)
		}
	}
	if n := db.Metrics().Commits.Count - before; n > 100 {
		t.Errorf("a pipeline of 200 writes took %d commits", n) // it may have come in several parts
	}
}

func TestJoinedCommandsAreAnnounced(t *testing.T) {
	s, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
	c, watcher, waiter := dial(t, addr), dial(t, addr), dial(t, addr)
	watcher.want("+OK", "WATCH", "b")
	c.pipeline("SET a 1", "SET b 2", "SET c 3")
	watcher.want("+OK", "MULTI")
	watcher.want("+QUEUED", "GET", "b")
	watcher.want("(nil)", "EXEC")
	waiter.send("BLPOP", "l", "0")
	until(t, "the client waits", func() bool { return s.interest.count.Load() == 1 })
	if got := fmt.Sprint(c.pipeline("RPUSH l 1", "RPUSH l 2", "RPUSH l 3", "LLEN l")); got != "[1 1 2 2]" {
		t.Error(got)
	}
	if got := waiter.receive(); got != `["l" "1"]` {
		t.Error(got)
	}
	c.want("+OK", "CONFIG", "SET", "notify-keyspace-events", "KEA")
	watcher.send("PSUBSCRIBE", "__keyevent@0__:*")
	watcher.receive()
	c.pipeline("SET a 1", "SET b 2", "LPUSH l 1", "LPUSH l 2", "ZADD z 1 a", "ZADD z 1 a")
	for _, want := range []string{"set", "set", "lpush", "lpush", "zadd", "zadd"} {
		if got := watcher.receive(); !strings.Contains(got, "__:"+want) {
			t.Errorf("%s, want an event %s", got, want)
		}
	}
}

// TestWaitersHearOfWhatOthersWrite: BLPOP and the like wake for writes past the server, in
// their turn, for each of several keys and in a keyspace.
func TestWaitersHearOfWhatOthersWrite(t *testing.T) {
	s, db, addr := serveStore(t, Options{Writable: true})
	space, err := db.CreateKeyspace("jobs")
	if err != nil {
		t.Fatal(err)
	}
	var waiting []*client
	for i := range 3 {
		w := dial(t, addr)
		w.want("+OK", "SELECT", "jobs")
		w.send("BLPOP", "low", "high", "0")
		waiting = append(waiting, w)
		until(t, "the client waits", func() bool { return s.interest.count.Load() == int64(i+1) })
	}
	if _, err := db.List("high").PushBack([]byte("of another keyspace")); err != nil {
		t.Fatal(err)
	}
	if _, err := space.List("high").PushBack([]byte("1"), []byte("2")); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`["high" "1"]`, `["high" "2"]`} {
		if got := waiting[i].receive(); got != want {
			t.Errorf("client %d: %s, want %s", i, got, want)
		}
	}
	if err := space.Put([]byte("low"), []byte("no list")); err != nil {
		t.Fatal(err)
	}
	if _, err := space.Key("low").Drop(); err != nil {
		t.Fatal(err)
	}
	if _, err := space.List("low").PushBack([]byte("3")); err != nil {
		t.Fatal(err)
	}
	if got := waiting[2].receive(); got != `["low" "3"]` {
		t.Error(got)
	}
	waiting[0].send("BZPOPMIN", "z", "0")
	until(t, "the client waits", func() bool { return s.interest.count.Load() == 1 })
	if err := db.DropKeyspace("jobs"); err != nil {
		t.Fatal(err)
	}
	if got := waiting[0].receive(); !strings.HasPrefix(got, "-") {
		t.Errorf("%s, want an error: the keyspace is gone", got)
	}
}
