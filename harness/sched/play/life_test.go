package play

import (
	"errors"
	"fmt"
	"strings"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/sched/point"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

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
			for _, name := range w.faults.OpenFiles() {
				// An open iterator may be opening a table, and closes it then.
				if !strings.HasSuffix(name, ".sst") {
					point.Fail("Close has returned, and %s is open", name)
				}
			}
		})
	}
	w.mix()
	if files := w.faults.OpenFiles(); len(files) > 0 {
		point.Fail("all have ended, and %v are open", files)
	}
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
