package play

import (
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/sched/point"
)

// scenarios by name. Each plays with an open store and closes it.
var scenarios = map[string]func(w *world){
	"batches":    batches,
	"large":      large,
	"transfers":  transfers,
	"reading":    reading,
	"counting":   counting,
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
	"waiting":    waiting,
	"served":     served,
	"following":  following,
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

// reading is snapshots and single reads of keys that are always there, beside writes of
// them and what flushes and merges let go of.
func reading(w *world) {
	const keys = 4
	put := func(n int) {
		var b siltstone.Batch
		for i := range keys {
			b.Put(key("k%d", i), key("%04d%80d", n, 0))
		}
		must("batch", w.db.Apply(&b, siltstone.DefaultDurability))
	}
	number := func(db reader, i int) int {
		v, err := db.Get(key("k%d", i))
		must("a key that is always there", err)
		n, err := strconv.Atoi(string(v[:4]))
		must("number", err)
		return n
	}
	put(0)
	w.client("write", func() {
		for i := range 8 {
			put(i + 1)
		}
	})
	for c := range 3 {
		w.client(fmt.Sprint("get", c), func() {
			last := 0
			for i := range 8 {
				n := number(w.db, i%keys)
				if n < last {
					point.Fail("a read shows %d after %d", n, last)
				}
				last = n
			}
		})
	}
	w.client("snapshot", func() {
		for range 4 {
			s, err := w.db.NewSnapshot()
			must("snapshot", err)
			n := number(s, 0)
			for i := range 2 * keys {
				if m := number(s, i%keys); m != n {
					point.Fail("a snapshot shows %d, and %d", n, m)
				}
			}
			s.Close()
		}
	})
	w.client("compact", func() {
		for range 3 {
			must("compact", w.db.Compact(ctx, siltstone.Range{}))
		}
	})
	w.mix()
	w.end()
}

// counting is Updates of one counter, each of which begins a new memtable, and calls that
// are a transaction of their own.
func counting(w *world) {
	const clients, each = 3, 4
	w.client("incr", func() {
		for range each {
			_, err := w.db.String("n").Incr(1)
			must("incr", err)
		}
	})
	for c := range clients {
		w.client(fmt.Sprint("count", c), func() {
			for range each {
				must("update", w.db.Update(ctx, func(tx *siltstone.Tx) error {
					v, err := tx.Get([]byte("n"))
					if err != nil && !errors.Is(err, siltstone.ErrNotFound) {
						return err
					}
					n, _ := strconv.Atoi(string(v))
					if err := tx.Put(key("pad/%d", c), make([]byte, 200)); err != nil {
						return err
					}
					return tx.Put([]byte("n"), key("%d", n+1))
				}))
			}
		})
	}
	w.mix()
	if v := w.get("n"); v != fmt.Sprint((clients+1)*each) {
		point.Fail("%d increments gave %s", (clients+1)*each, v)
	}
	w.end()
}
