package resp

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

func TestAServerIsForReadingUnlessToldOtherwise(t *testing.T) {
	_, db, addr := serveStore(t, Options{})
	if err := db.Put([]byte("a"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	c.want(`"1"`, "GET", "a")
	refused := "-" + string(errServerReads)
	for _, cmd := range []string{"SET a 2", "DEL a", "FLUSHALL", "EXPIRE a 1", "LPUSH l a", "BLPOP l 0", "RESTORE k 0 x"} {
		c.want(refused, strings.Fields(cmd)...)
	}
	c.want("-ERR there is no keyspace of that number, and this client may not make one", "SELECT", "1")
	c.want("+OK", "MULTI")
	c.want("+QUEUED", "GET", "a")
	c.want(`["1"]`, "EXEC")
	c.want("-ERR DEBUG command not allowed. The server was not started with it.", "DEBUG", "SLEEP", "0")
}

func TestAUserMayOnlyDoWhatTheServerAndHisRightsAllow(t *testing.T) {
	_, _, addr := serveStore(t, Options{Writable: true, Users: []User{{"default", "all", false}, {"looker", "only", true}}})
	c := dial(t, addr)
	c.want("-NOAUTH Authentication required.", "GET", "a")
	c.want("-NOAUTH Authentication required.", "NONSENSE")
	c.want("-"+string(errWrongPass), "AUTH", "wrong")
	c.want("-"+string(errWrongPass), "AUTH", "nobody", "all")
	c.want("+OK", "AUTH", "all")
	c.want("+OK", "SET", "a", "1")
	c.want("+OK", "AUTH", "looker", "only")
	c.want(`"1"`, "GET", "a")
	c.want("-NOPERM This user has no permissions to run the 'set' command", "SET", "a", "2")
	c.want("-NOPERM This user has no permissions to run the 'config' command", "CONFIG", "GET", "*")
	c.want("-NOPERM This user has no permissions to run the 'publish' command", "PUBLISH", "a", "b")
	c.want("+RESET", "RESET")
	c.want("-NOAUTH Authentication required.", "GET", "a")
	if got := c.do("HELLO", "3", "AUTH", "looker", "only"); !strings.HasPrefix(got, `{"server" "redis"`) {
		t.Error(got)
	}
	c = dial(t, addr)
	for range authAttempts {
		c.want("-"+string(errWrongPass), "AUTH", "wrong")
	}
	if !c.closed() {
		t.Error("somebody may guess passwords for ever")
	}
}

func TestSelectReachesKeyspaces(t *testing.T) {
	_, db, addr := serveStore(t, Options{Writable: true})
	if _, err := db.CreateKeyspace("tenant"); err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	c.want("+OK", "SELECT", "tenant")
	c.want("+OK", "SET", "k", "in the tenant")
	c.want("+OK", "SELECT", "3")
	c.want("(nil)", "GET", "k")
	c.want("-ERR there is no keyspace of that name", "SELECT", "nobody")
	c.want("-ERR DB index is out of range", "SELECT", "16")
	c.want("+OK", "SELECT", "0")
	c.want("0", "EXISTS", "k")
	ks, err := db.Keyspace("tenant")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := ks.Get([]byte("k")); err != nil || string(v) != "in the tenant" {
		t.Errorf("%q, %v", v, err)
	}
}

// TestTheRepliesOfAPipelineWaitForTheirLevel: what was answered is on disk after a power
// cut, though the store itself waits for nothing.
func TestTheRepliesOfAPipelineWaitForTheirLevel(t *testing.T) {
	fs := vfs.NewMem()
	db, err := siltstone.Open("store", &siltstone.Options{FS: fs, Durability: siltstone.BufferedDurability, MemoryLimit: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := NewServer(db, &Options{Writable: true, Durability: siltstone.SyncDurability})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mine, theirs := net.Pipe()
	go s.ServeConn(theirs)
	c := &client{t, mine, bufio.NewReader(mine)}
	defer mine.Close()
	for i := range 100 {
		c.want("+OK", "SET", "k"+strconv.Itoa(i), "v")
	}
	before := db.Metrics().Log.Syncs.Count
	var batch []byte
	for i := range 100 {
		batch = append(batch, encode("SET", "p"+strconv.Itoa(i), "v")...)
	}
	go mine.Write(batch)
	for range 100 {
		if got := c.receive(); got != "+OK" {
			t.Fatal(got)
		}
	}
	if n := db.Metrics().Log.Syncs.Count - before; n == 0 || n > 50 {
		t.Errorf("a pipeline of 100 writes took %d syncs", n)
	}
}

func TestScansReturnEveryKeyOnce(t *testing.T) {
	_, db, addr := serveStore(t, Options{})
	want := map[string]bool{}
	var b siltstone.Batch
	for i := range 1000 {
		name := fmt.Sprintf("key:%04d", i)
		want[strconv.Quote(name)] = true
		b.Put([]byte(name), nil)
	}
	if err := db.Apply(&b, siltstone.BufferedDurability); err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	cursor := "0"
	for steps := 0; ; steps++ {
		reply := c.do("SCAN", cursor, "COUNT", "7", "MATCH", "key:*")
		head, list, _ := strings.Cut(strings.TrimPrefix(reply, "["), " [")
		for _, name := range strings.Fields(strings.TrimSuffix(list, "]]")) {
			if !want[name] {
				t.Fatalf("%s came twice, or is no key", name)
			}
			delete(want, name)
		}
		if cursor = strings.Trim(head, `"`); cursor == "0" {
			break
		}
		if steps > 1000 {
			t.Fatal("the walk does not end")
		}
	}
	if len(want) > 0 {
		t.Errorf("%d keys did not come", len(want))
	}
	if got := c.do("SCAN", "123456789"); !strings.HasPrefix(got, "-ERR invalid cursor") {
		t.Error(got)
	}
}

func TestMessagesReachWhoHasSubscribed(t *testing.T) {
	_, _, addr := serveStore(t, Options{Writable: true})
	a, b, c := dial(t, addr), dial(t, addr), dial(t, addr)
	b.do("HELLO", "3")
	a.want(`["subscribe" "news" 1]`, "SUBSCRIBE", "news")
	b.want(`>["psubscribe" "n*" 1]`, "PSUBSCRIBE", "n*")
	c.want("2", "PUBLISH", "news", "hello")
	if got := a.receive(); got != `["message" "news" "hello"]` {
		t.Error(got)
	}
	if got := b.receive(); got != `>["pmessage" "n*" "news" "hello"]` {
		t.Error(got)
	}
	b.want("(nil)", "GET", "a") // the third version may do both
	c.want("+OK", "CONFIG", "SET", "notify-keyspace-events", "KEA")
	b.want(`>["psubscribe" "__key*" 2]`, "PSUBSCRIBE", "__key*")
	c.want("+OK", "SET", "k", "v")
	for _, want := range []string{`>["pmessage" "__key*" "__keyspace@0__:k" "set"]`, `>["pmessage" "__key*" "__keyevent@0__:set" "k"]`} {
		if got := b.receive(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestWaitersAreServedInTurn(t *testing.T) {
	s, db, addr := serveStore(t, Options{Writable: true})
	var waiting []*client
	for i := range 3 {
		w := dial(t, addr)
		w.send("BLPOP", "a", "b", "0")
		waiting = append(waiting, w)
		until(t, "the client waits", func() bool { return s.interest.count.Load() == int64(i+1) })
	}
	c := dial(t, addr)
	c.want("2", "RPUSH", "b", "1", "2")
	c.want("0", "EXISTS", "b") // they had theirs before the reply to RPUSH
	for i, want := range []string{`["b" "1"]`, `["b" "2"]`} {
		if got := waiting[i].receive(); got != want {
			t.Errorf("client %d: %s, want %s", i, got, want)
		}
	}
	if _, err := db.List("a").PushBack([]byte("past the server")); err != nil {
		t.Fatal(err)
	}
	if got := waiting[2].receive(); got != `["a" "past the server"]` {
		t.Error(got)
	}
	w := waiting[0]
	w.want("(nil)", "BRPOP", "a", "0.01")
	w.send("BZPOPMIN", "z", "0")
	until(t, "the client waits", func() bool { return s.interest.count.Load() == 1 })
	if got := c.do("CLIENT", "LIST"); !strings.Contains(got, "flags=b") {
		t.Error(got)
	}
	c.want("1", "CLIENT", "UNBLOCK", "1", "ERROR")
	if got := w.receive(); got != "-UNBLOCKED client unblocked via CLIENT UNBLOCK" {
		t.Error(got)
	}
	w.send("BLMOVE", "x", "y", "LEFT", "RIGHT", "0")
	until(t, "the client waits", func() bool { return s.interest.count.Load() == 1 })
	w.conn.Close()
	until(t, "the end of a waiting client is noticed", func() bool { return s.interest.count.Load() == 0 })
}

// TestWatchKeepsCountersRight has clients add to a counter with WATCH and EXEC, while
// others do so past the server.
func TestWatchKeepsCountersRight(t *testing.T) {
	const clients, adds = 4, 30
	for _, sole := range []bool{true, false} {
		_, db, addr := serveStore(t, Options{Writable: true, SoleWriter: sole})
		var group sync.WaitGroup
		for range clients {
			c := dial(t, addr)
			group.Go(func() {
				for done := 0; done < adds; {
					c.want("+OK", "WATCH", "counter")
					n, _ := strconv.Atoi(strings.Trim(c.do("GET", "counter"), `"`))
					c.want("+OK", "MULTI")
					c.want("+QUEUED", "SET", "counter", strconv.Itoa(n+1))
					if c.do("EXEC") != "(nil)" {
						done++
					}
				}
			})
		}
		want := clients * adds
		if !sole {
			want += adds
			group.Go(func() {
				for range adds {
					err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
						_, err := tx.String("counter").Incr(1)
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		dial(t, addr).want(strconv.Quote(strconv.Itoa(want)), "GET", "counter")
	}
}

func TestATransactionIsSeenWholeOrNotAtAll(t *testing.T) {
	_, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
	writer, reader := dial(t, addr), dial(t, addr)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			writer.do("MULTI")
			for _, k := range []string{"a", "b", "c"} {
				writer.do("SET", k, strconv.Itoa(i))
			}
			writer.do("EXEC")
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		values := strings.Fields(strings.Trim(reader.do("MGET", "a", "b", "c"), "[]"))
		if len(values) != 3 || values[0] != values[1] || values[1] != values[2] {
			t.Fatalf("half a transaction: %q", values)
		}
	}
}

func TestCloseEndsClientsThatWait(t *testing.T) {
	s, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true, IdleTimeout: -1})
	idle, blocked, subscribed := dial(t, addr), dial(t, addr), dial(t, addr)
	idle.want("+PONG", "PING")
	blocked.send("BLPOP", "a", "0")
	subscribed.do("SUBSCRIBE", "a")
	until(t, "the client waits", func() bool { return s.interest.count.Load() == 1 })
	begin := time.Now()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{idle, blocked, subscribed} {
		if !c.closed() {
			t.Error("a connection is left")
		}
	}
	t.Logf("Close took %v", time.Since(begin))
}

// TestWhatChangesNothingTouchesNoWatchedKey: commands that find nothing to change do not make
// the EXEC of others fail.
func TestWhatChangesNothingTouchesNoWatchedKey(t *testing.T) {
	_, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
	watcher, writer := dial(t, addr), dial(t, addr)
	for _, args := range [][]string{
		{"LTRIM", "k", "0", "1"}, {"SUNIONSTORE", "k", "none"}, {"SINTERSTORE", "k", "none", "none"}, {"ZUNIONSTORE", "k", "1", "none"},
		{"ZDIFFSTORE", "k", "1", "none"}, {"ZRANGESTORE", "k", "none", "0", "-1"}, {"SORT", "none", "STORE", "k"}, {"DEL", "k"}, {"GETDEL", "k"}, {"LPUSHX", "k", "1"},
	} {
		watcher.want("+OK", "WATCH", "k")
		writer.do(args...)
		watcher.want("+OK", "MULTI")
		watcher.want("+QUEUED", "GET", "k")
		if got := watcher.do("EXEC"); got != "[(nil)]" {
			t.Errorf("%q touched a key that is not there: %s", args, got)
		}
	}
	writer.want("1", "SADD", "k", "m")
	watcher.want("+OK", "WATCH", "k")
	writer.want("0", "SINTERSTORE", "k", "none", "none")
	watcher.want("+OK", "MULTI")
	watcher.want("+QUEUED", "GET", "k")
	watcher.want("(nil)", "EXEC")
}
