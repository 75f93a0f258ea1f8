package play

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/sched/point"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// scenarios by name. Each plays with an open store and closes it.
var scenarios = map[string]func(w *world){
	"batches":    batches,
	"large":      large,
	"transfers":  transfers,
	"turn":       turn,
	"nested":     nested,
	"sitting":    sitting,
	"leaving":    leaving,
	"deadline":   deadline,
	"hotkey":     hotkey,
	"closing":    closing,
	"failing":    failing,
	"lostsync":   lostsync,
	"keyspace":   keyspace,
	"checkpoint": checkpoint,
}

// writer puts numbered pairs of keys until it is told ErrClosed, and knows what it was
// promised.
type writer struct {
	name                string
	acknowledged, begun int
}

// run applies n batches, of two puts each.
func (r *writer) run(w *world, n int, allowed ...error) {
	for i := 1; i <= n; i++ {
		r.begun = i
		var b siltstone.Batch
		b.Put(key("%s/first", r.name), key("%d", i))
		b.Put(key("%s/%d", r.name, i), make([]byte, 100))
		b.Put(key("%s/last", r.name), key("%d", i))
		if err := w.db.Apply(&b, siltstone.DefaultDurability); err != nil {
			must(r.name, err, allowed...)
			return
		}
		r.acknowledged = i
	}
}

// reader is what a store or a snapshot answers.
type reader interface {
	Get(key []byte) ([]byte, error)
}

// seen returns how many batches of the writer db shows. It fails if one shows in part
// or is missing between others.
func (r *writer) seen(db reader) int {
	count := func(end string) (n int) {
		v, err := db.Get(key("%s/%s", r.name, end))
		if errors.Is(err, siltstone.ErrNotFound) {
			return 0
		}
		must("get", err)
		n, err = strconv.Atoi(string(v))
		must("number", err)
		return n
	}
	first, last := count("first"), count("last")
	if first != last {
		point.Fail("%s: a batch is there in part: %d and %d", r.name, first, last)
	}
	for i := 1; i <= last; i++ {
		if _, err := db.Get(key("%s/%d", r.name, i)); err != nil {
			point.Fail("%s: batch %d of %d: %v", r.name, i, last, err)
		}
	}
	return last
}

// check fails if what was promised is not there.
func (r *writer) check(db reader) {
	if n := r.seen(db); n < r.acknowledged || n > r.begun {
		point.Fail("%s: %d batches are there, %d were promised and %d begun", r.name, n, r.acknowledged, r.begun)
	}
}

// batches are writers beside flushes, merges and readers.
func batches(w *world) {
	writers := []*writer{{name: "a"}, {name: "b"}}
	for _, r := range writers {
		w.client(r.name, func() { r.run(w, 8) })
	}
	w.client("flush", func() {
		for range 2 {
			must("flush", w.db.Flush(ctx))
		}
		must("compact", w.db.Compact(ctx, siltstone.Range{}))
	})
	w.client("reader", func() {
		for range 3 {
			s, err := w.db.NewSnapshot()
			must("snapshot", err)
			before := writers[0].seen(s)
			if again := writers[0].seen(s); again != before {
				point.Fail("a snapshot shows %d batches, then %d", before, again)
			}
			s.Close()
		}
	})
	w.mix()
	for _, r := range writers {
		r.check(w.db)
	}
	w.again()
	for _, r := range writers {
		r.check(w.db)
	}
	w.end()
}

// large are batches that get tables and logs of their own, beside rotations.
func large(w *world) {
	big := func(name string, n int) {
		for i := range n {
			var b siltstone.Batch
			for j := range 6 {
				b.Put(key("%s/%d/%d", name, i, j), make([]byte, 200+i%2*20_000))
			}
			must("batch", w.db.Apply(&b, siltstone.DefaultDurability))
		}
	}
	small := &writer{name: "small"}
	w.client("big", func() { big("x", 2) })
	w.client("huge", func() { big("y", 2) })
	w.client("small", func() { small.run(w, 6) })
	w.mix()
	small.check(w.db)
	w.again()
	small.check(w.db)
	for _, name := range []string{"x", "y"} {
		for i := range 2 {
			for j := range 6 {
				w.get(fmt.Sprintf("%s/%d/%d", name, i, j))
			}
		}
	}
	w.end()
}

const accounts = 6

// transfers move money between accounts, the sum of which no reader sees change.
func transfers(w *world) {
	for i := range accounts {
		must("put", w.db.Put(key("account/%d", i), key("%d", 100)))
	}
	move := func(from, to int) {
		hooks, attempts := 0, 0
		err := w.db.Update(ctx, func(tx *siltstone.Tx) error {
			attempts++
			tx.OnCommit(func() { hooks++ })
			for _, by := range []int{-1, 1} {
				at := []int{from, to}[(by+1)/2]
				v, err := tx.Get(key("account/%d", at))
				if err != nil {
					return err
				}
				n, _ := strconv.Atoi(string(v))
				if err := tx.Put(key("account/%d", at), key("%d", n+by)); err != nil {
					return err
				}
			}
			return nil
		})
		must("transfer", err)
		if hooks != 1 {
			point.Fail("%d hooks of OnCommit ran after %d attempts", hooks, attempts)
		}
	}
	total := func(scan func(siltstone.Range) iter.Seq2[siltstone.KV, error]) {
		sum, n := 0, 0
		for kv, err := range scan(siltstone.Range{}) {
			must("scan", err)
			v, _ := strconv.Atoi(string(kv.Value))
			sum += v
			n++
		}
		if n != accounts || sum != 100*accounts {
			point.Fail("%d accounts hold %d", n, sum)
		}
	}
	for c := range 2 {
		w.client(fmt.Sprint("move", c), func() {
			for i := range 6 {
				move((c+i)%accounts, (c*3+i*5+1)%accounts)
			}
		})
	}
	w.client("flush", func() {
		for range 4 {
			must("flush", w.db.Flush(ctx))
		}
	})
	w.client("sum", func() {
		for range 3 {
			total(w.db.Scan)
		}
	})
	w.client("view", func() {
		must("view", w.db.View(ctx, func(tx *siltstone.Tx) error {
			total(tx.Scan)
			total(tx.Scan)
			return nil
		}))
	})
	w.mix()
	total(w.db.Scan)
	w.again()
	total(w.db.Scan)
	w.end()
}

// contend makes the Updates of a key lose, with puts.
func (w *world) contend(name string, n int, allowed ...error) {
	w.client(name, func() {
		for i := range n {
			if err := w.db.Put([]byte("hot"), key("%d", i)); err != nil {
				must("put", err, allowed...)
				return
			}
		}
	})
}

var errOnPurpose = errors.New("on purpose")

// loses is an Update that loses to a put of its own until it has its turn, and then
// runs last.
func (w *world) loses(ctx context.Context, name string, last func(tx *siltstone.Tx) error) error {
	return w.db.Update(ctx, func(tx *siltstone.Tx) error {
		if _, err := tx.Has([]byte("hot")); err != nil {
			return err
		}
		if tx.Attempt() > 4 {
			if err := last(tx); err != nil {
				return err
			}
			return tx.Put([]byte(name), []byte("done"))
		}
		if err := w.db.Put([]byte("hot"), []byte(name)); err != nil {
			return err
		}
		return tx.Put([]byte(name), nil)
	})
}

// turn is Updates that have turns and leave them in every way.
func turn(w *world) {
	for i, leave := range []func() error{
		func() error { panic(errOnPurpose) },
		func() error { return errOnPurpose },
		func() error { return nil },
	} {
		w.client(fmt.Sprint("update", i), func() {
			defer func() {
				if p := recover(); p != nil && p != errOnPurpose {
					panic(p)
				}
			}()
			must("update", w.loses(ctx, fmt.Sprint("u", i), func(*siltstone.Tx) error { return leave() }), errOnPurpose)
		})
	}
	w.contend("rival", 6)
	w.client("flush", func() { must("flush", w.db.Flush(ctx)) })
	w.mix()
	if v := w.get("u2"); v != "done" {
		point.Fail("an Update that returned nil left %q", v)
	}
	if v := w.get("u0") + w.get("u1"); v != "" {
		point.Fail("an Update that failed left %q", v)
	}
	w.end()
}

// nested is an Update inside the turn of another, under another context.
func nested(w *world) {
	w.client("outer", func() {
		must("outer", w.loses(ctx, "outer", func(*siltstone.Tx) error {
			return w.loses(context.Background(), "inner", func(*siltstone.Tx) error { return nil })
		}), siltstone.ErrNested)
	})
	w.contend("rival", 4)
	w.client("incr", func() { _, err := w.db.String("n").Incr(1); must("incr", err) })
	w.mix()
	w.end()
}

// sitting is an Update that sits in its turn until others, who wait for it, are done.
func sitting(w *world) {
	begun, done := make(chan struct{}), make(chan struct{})
	w.client("sits", func() {
		first := true
		must("sits", w.loses(ctx, "sits", func(*siltstone.Tx) error {
			if first {
				first = false
				close(begun)
				<-done
				point.Woken("sits: done")
			}
			return nil
		}))
	})
	w.client("waits", func() {
		<-begun
		point.Woken("waits")
		must("put", w.db.Put([]byte("k"), nil))
		_, err := w.db.String("n").Incr(1)
		must("incr", err)
		must("another", w.loses(ctx, "other", func(*siltstone.Tx) error { return nil }))
		close(done)
	})
	w.contend("rival", 3)
	w.mix()
	w.end()
}

// leaving is an Update that sits in its turn until another, which waits for it, has
// ended, and Close, which ends the other.
func leaving(w *world) {
	begun, done := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.client("sits", func() {
		must("sits", w.loses(ctx, "sits", func(*siltstone.Tx) error {
			once.Do(func() { close(begun) })
			<-done
			point.Woken("sits: done")
			return nil
		}), siltstone.ErrClosed)
	})
	var others sync.WaitGroup
	for name, call := range point.InOrder(map[string]func() error{
		"put":    func() error { return w.db.Put([]byte("k"), nil) },
		"update": func() error { return w.loses(ctx, "other", func(*siltstone.Tx) error { return nil }) },
	}) {
		others.Add(1)
		w.client(name, func() {
			defer others.Done()
			<-begun
			point.Woken("waits")
			must(name, call(), siltstone.ErrClosed)
		})
	}
	w.client("done", func() {
		others.Wait()
		point.Woken("done")
		close(done)
	})
	w.client("close", func() {
		<-begun
		point.Woken("close")
		_ = w.db.Close() // which counts the transaction that is open
	})
	w.mix()
	w.db = w.open()
	w.end()
}

// deadline is a put with a time to live that waits for a turn: its time begins when it
// is visible. Here nothing takes time but what sleeps.
func deadline(w *world) {
	point.Still()
	const life = 70 * time.Millisecond
	begun := make(chan struct{})
	var once sync.Once
	w.client("sits", func() {
		must("sits", w.loses(ctx, "sits", func(*siltstone.Tx) error {
			once.Do(func() { close(begun) })
			point.Sleep("sits", 80*time.Millisecond)
			return nil
		}))
	})
	w.client("puts", func() {
		<-begun
		point.Woken("puts")
		must("put", w.db.PutTTL([]byte("k"), nil, life))
		left, err := w.db.TTL([]byte("k"))
		if err != nil || left < life {
			point.Fail("a key that was put to live for %v has %v left at once, %v", life, left, err)
		}
	})
	w.mix()
	w.end()
}

// hotkey is calls on one key, a hash and a counter, beside what replaces the state.
func hotkey(w *world) {
	for c := range 3 {
		w.client(fmt.Sprint("call", c), func() {
			for i := range 4 {
				_, err := w.db.String("n").Incr(1)
				must("incr", err)
				_, err = w.db.Hash("h").Set(fmt.Sprintf("%d/%d", c, i), make([]byte, 60))
				must("set", err)
			}
		})
	}
	w.client("flush", func() {
		for range 3 {
			must("flush", w.db.Flush(ctx))
		}
	})
	w.client("drop", func() {
		for range 2 {
			_, err := w.db.Set("s").Add("x", "y")
			must("add", err)
			_, err = w.db.Key("s").Drop()
			must("drop", err)
		}
	})
	w.mix()
	if v := w.get("n"); v != "12" {
		point.Fail("12 increments gave %q", v)
	}
	if n, err := w.db.Hash("h").Len(); err != nil || n != 12 {
		point.Fail("12 fields were set, and there are %d, %v", n, err)
	}
	w.again()
	w.end()
}

// closing is two that close the store at any time, beside all else.
func closing(w *world) {
	writers := []*writer{{name: "a"}, {name: "b"}}
	_, err := w.db.Set("s").Add("x", "y", "z")
	must("add", err)
	for _, r := range writers {
		w.client(r.name, func() { r.run(w, 8, siltstone.ErrClosed) })
	}
	w.client("flush", func() { must("flush", w.db.Flush(ctx), siltstone.ErrClosed) })
	w.client("update", func() {
		must("update", w.loses(ctx, "u", func(*siltstone.Tx) error { return nil }), siltstone.ErrClosed)
	})
	w.client("loop", func() {
		for _, err := range w.db.Set("s").All() {
			must("loop", err, siltstone.ErrClosed)
			point.At("loop: body")
		}
	})
	open, later := 0, w.rand.IntN(100)
	for c := range 2 {
		w.client(fmt.Sprint("close", c), func() {
			for range later * (c + 1) {
				point.At("close: later")
			}
			_ = w.db.Close() // which counts what is open
			if open++; open > 1 {
				return
			}
			if files := w.faults.OpenFiles(); len(files) > 0 {
				point.Fail("Close has returned, and %v are open", files)
			}
		})
	}
	w.mix()
	w.db = w.open()
	for _, r := range writers {
		r.check(w.db)
	}
	w.end()
}

// failing is a store in which no table can be written for a while.
func failing(w *world) {
	for _, name := range []string{"flush", "compact"} {
		w.client(name, func() {
			err := w.db.Flush(ctx)
			if name == "compact" {
				err = w.db.Compact(ctx, siltstone.Range{})
			}
			must(name, err, vfstest.ErrInjected)
		})
	}
	r := &writer{name: "a"}
	w.client("writer", func() { r.run(w, 12, vfstest.ErrInjected) })
	w.faults.Inject(vfstest.Fault{Match: on(vfstest.Create, ".sst"), Times: vfstest.Forever})
	w.mix()
	w.faults.Clear()
	r.check(w.db)
	w.again()
	r.check(w.db)
	w.end()
}

// lostsync is a sync of the log that fails, beside Close: whoever is told a definite
// error has written nothing.
func lostsync(w *world) {
	w.faults.Inject(vfstest.Fault{Match: on(vfstest.Sync, ".wal"), Nth: 1 + int64(w.rand.IntN(6)), Effect: vfstest.Done, Times: vfstest.Forever})
	told := map[string]error{}
	for _, name := range []string{"a", "b", "c"} {
		w.client(name, func() {
			for i := range 3 {
				k := fmt.Sprintf("%s/%d", name, i)
				err := w.db.Put([]byte(k), make([]byte, 100))
				told[k] = err
			}
		})
	}
	w.client("close", func() { _ = w.db.Close() }) // it fails as the log does
	w.mix()
	w.faults.Clear()
	w.db = w.open()
	for k, err := range point.InOrder(told) {
		has, missing := w.db.Has([]byte(k))
		must("has", missing)
		switch {
		case err == nil && !has:
			point.Fail("%s was put and is gone", k)
		case errors.Is(err, siltstone.ErrClosed) && !errors.Is(err, siltstone.ErrIndeterminate) && has:
			point.Fail("%s is there, and its put was told %v", k, err)
		}
	}
	w.end()
}

// keyspace is one that is dropped beside its writers.
func keyspace(w *world) {
	ks, err := w.db.CreateKeyspace("ks")
	must("create", err)
	for c := range 2 {
		w.client(fmt.Sprint("put", c), func() {
			for i := range 5 {
				if err := ks.Put(key("%d/%d", c, i), make([]byte, 100)); err != nil {
					must("put", err, siltstone.ErrDropped)
					return
				}
			}
		})
	}
	w.client("update", func() {
		for range 3 {
			err := w.db.Update(ctx, func(tx *siltstone.Tx) error { return tx.In(ks).Put([]byte("tx"), nil) })
			must("update", err, siltstone.ErrDropped)
		}
	})
	w.client("drop", func() {
		must("drop", w.db.DropKeyspace("ks"))
		if _, err := ks.Get([]byte("tx")); !errors.Is(err, siltstone.ErrDropped) {
			point.Fail("a dropped keyspace answers %v", err)
		}
	})
	w.client("create", func() {
		_, err := w.db.CreateKeyspace("other")
		must("create", err)
		must("flush", w.db.Flush(ctx))
	})
	w.mix()
	w.again()
	names, err := w.db.Keyspaces()
	must("keyspaces", err)
	if len(names) != 1 || names[0] != "other" {
		point.Fail("keyspaces %q", names)
	}
	w.end()
}

// checkpoint is a copy made beside writers: it has what was promised before it began,
// nothing in part, and opens.
func checkpoint(w *world) {
	r := &writer{name: "a"}
	w.client("writer", func() { r.run(w, 10) })
	promised := 0
	w.client("copy", func() {
		promised = r.acknowledged
		must("checkpoint", w.db.Checkpoint(ctx, "copy"))
	})
	w.client("compact", func() { must("compact", w.db.Compact(ctx, siltstone.Range{})) })
	w.mix()
	o := w.options
	o.MustExist = true
	copied, err := siltstone.Open("copy", &o)
	must("open the copy", err)
	if n := r.seen(copied); n < promised {
		point.Fail("the copy has %d batches, %d were promised before", n, promised)
	}
	must("check the copy", copied.Check(ctx))
	must("close the copy", copied.Close())
	w.end()
}
