package siltstone

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// workload is a script of commits, small and dense, that is run once and cut,
// or made to fail, at every operation of the file system. The same seed makes
// the same operations.
type workload struct {
	name string
	dir  string // "db" if empty
	run  func(s *session)
	opts func(*Options)
}

// crashWorkloads are named after the list they stand in: reliability of the
// store, workloads 1 to 12.
var crashWorkloads = []workload{
	{name: "W1-sync-puts", run: syncPuts},
	{name: "W2-mixed-levels", run: mixedLevels},
	{name: "W3-batches", run: batches},
	{name: "W4-transactions", run: transactions},
	{name: "W5-deletes", run: deletes},
	{name: "W6-ttl", run: timesToLive},
	{name: "W7-typed", run: typedValues},
	{name: "W8-held", run: heldOverCompaction},
	{name: "W10-reopen", run: reopenings},
	{name: "W12-creation", dir: "a/b/db", run: creation},
	{name: "W13-keyspaces", run: keyspaces},
}

func (w *workload) path() string {
	if w.dir != "" {
		return w.dir
	}
	return "db"
}

// start runs the workload in s, and closes the store at its end.
func (w *workload) start(s *session) {
	s.openOpts = w.opts
	if !s.open() {
		return
	}
	w.run(s)
	s.close()
}

func syncPuts(s *session) {
	for range 50 {
		s.put(SyncDurability, s.key(), s.value(200))
		if s.rng.IntN(6) == 0 {
			s.step()
		}
	}
	s.check()
}

func mixedLevels(s *session) {
	for range 120 {
		s.put(s.level(), s.key(), s.value(150))
		switch s.rng.IntN(16) {
		case 0:
			s.step()
		case 1:
			s.do("write out", s.db.section.Log().WriteOut())
			if !s.faulty {
				s.ackAll(OSDurability)
			}
		case 2:
			if err := s.db.Sync(); err != nil {
				s.do("sync", err)
			} else if s.model.issued() > 0 {
				s.ackAll(SyncDurability)
			}
		}
	}
	s.check()
}

// batches writes batches over memtable switches, some so large that they get a
// table of their own, and a few larger than a whole memtable.
func batches(s *session) {
	for i := range 36 {
		n, size := 2+s.rng.IntN(8), 60
		switch {
		case i%9 == 4:
			n, size = 10, 300
		case i%9 == 8:
			n, size = 30, 400
		case i%9 == 6:
			n, size = 80, 4 // many operations, few bytes
		}
		var b Batch
		change := func(m *oracle) {
			for range n {
				key, value := s.key(), s.value(size)
				b.Put([]byte(key), []byte(value))
				m.put(key, value)
			}
			lo := s.key()
			b.DeleteRange(Range{[]byte(lo), []byte(lo + "~")})
			m.deleteRange(lo, lo+"~")
		}
		d := s.level()
		s.commit(d, change, func() error { return s.db.Apply(&b, d) })
		if s.rng.IntN(5) == 0 {
			s.step()
		}
	}
	s.check()
}

// transactions increments counters from two sides, so that some attempts lose.
func transactions(s *session) {
	for i := range 30 {
		a, b := fmt.Sprintf("count%d", s.rng.IntN(4)), fmt.Sprintf("count%d", 4+s.rng.IntN(4))
		if i%5 == 0 {
			rival := s.value(20)
			s.lostTransaction(a, rival)
			continue
		}
		value := s.value(30)
		s.commit(SyncDurability, func(m *oracle) { m.put(a, value); m.put(b, value); m.delete("gone") }, func() error {
			return s.db.Update(context.Background(), func(tx *Tx) error {
				if _, err := tx.Has([]byte(a)); err != nil {
					return err
				}
				if err := tx.Put([]byte(a), []byte(value)); err != nil {
					return err
				}
				if err := tx.Delete([]byte("gone")); err != nil {
					return err
				}
				return tx.Put([]byte(b), []byte(value))
			})
		})
		if s.rng.IntN(5) == 0 {
			s.step()
		}
	}
	s.check()
}

// lostTransaction lets a write overtake a transaction that has read what it
// writes: nothing of the transaction may ever be seen.
func (s *session) lostTransaction(key, rival string) {
	tx, err := s.db.Begin(context.Background(), ReadWriteMode)
	if err != nil {
		s.legal("begin", err)
		return
	}
	defer tx.Rollback()
	if _, err := tx.Has([]byte(key)); err != nil {
		s.legal("read", err)
		return
	}
	before := len(s.unsure) + s.model.issued()
	s.put(SyncDurability, key, rival)
	if err := tx.Put([]byte(key), []byte("never seen")); err != nil {
		s.legal("put", err)
		return
	}
	if err := tx.Commit(); err == nil {
		if len(s.unsure)+s.model.issued() != before {
			s.t.Fatalf("a transaction committed over a write it had not seen")
		}
		s.t.Fatalf("the workload's transaction was meant to lose")
	}
}

// deletes overwrites and deletes, by key and by range, and merges.
func deletes(s *session) {
	for i := range 150 {
		d := s.level()
		switch n := s.rng.IntN(10); {
		case n < 5:
			s.put(d, s.key(), s.value(120))
		case n < 8:
			key := s.key()
			var b Batch
			b.Delete([]byte(key))
			s.commit(d, func(m *oracle) { m.delete(key) }, func() error { return s.db.Apply(&b, d) })
		default:
			lo, hi := s.key(), s.key()
			if lo > hi {
				lo, hi = hi, lo
			}
			var b Batch
			b.DeleteRange(Range{[]byte(lo), []byte(hi)})
			s.commit(d, func(m *oracle) {
				if lo < hi {
					m.deleteRange(lo, hi)
				}
			}, func() error { return s.db.Apply(&b, d) })
		}
		if s.rng.IntN(12) == 0 {
			s.step()
		}
		if i%50 == 49 {
			s.do("compact", s.db.Compact(context.Background(), Range{}))
		}
	}
	s.check()
}

// timesToLive sets, clears and lets run out times to live.
func timesToLive(s *session) {
	for range 90 {
		key := s.key()
		switch n := s.rng.IntN(8); {
		case n < 3:
			value, ttl := s.value(60), time.Duration(1+s.rng.IntN(60))*time.Second
			s.commit(SyncDurability, func(m *oracle) { m.putTTL(key, value, ttl) }, func() error {
				return s.db.PutTTL([]byte(key), []byte(value), ttl)
			})
		case n == 3:
			s.put(s.level(), key, s.value(60))
		case n == 4 && s.model.live(key) != nil:
			ttl := time.Duration(1+s.rng.IntN(60)) * time.Second
			s.commit(SyncDurability, func(m *oracle) { m.expire(key, ttl) }, func() error { return s.db.Expire([]byte(key), ttl) })
		case n == 5 && s.model.live(key) != nil:
			s.commit(SyncDurability, func(m *oracle) { m.expire(key, 0) }, func() error { return s.db.Key(key).ExpireAt(time.Time{}) })
		case n == 6:
			s.clock.advance(time.Duration(s.rng.IntN(20)) * time.Second)
			s.compare()
		default:
			s.step()
		}
	}
	s.check()
}

// typedValues makes collections, and ends them in every way there is.
func typedValues(s *session) {
	for range 90 {
		name := fmt.Sprintf("coll%d", s.rng.IntN(6))
		elem := fmt.Sprintf("e%d", s.rng.IntN(8))
		live := s.model.live(name)
		switch n := s.rng.IntN(12); {
		case n == 0 && live != nil:
			s.commit(SyncDurability, func(m *oracle) { m.delete(name) }, func() error { _, err := s.db.Key(name).Drop(); return err })
		case n == 1:
			s.put(SyncDurability, name, s.value(40))
		case n == 2:
			s.commit(SyncDurability, func(m *oracle) { m.deleteRange(name, name+"~") }, func() error {
				return s.db.DeleteRange(Prefix([]byte(name)))
			})
		case n == 3 && live != nil:
			s.commit(SyncDurability, func(m *oracle) { m.expire(name, 5*time.Second) }, func() error {
				return s.db.Expire([]byte(name), 5*time.Second)
			})
		case n == 4:
			s.clock.advance(2 * time.Second)
		case n == 5:
			s.step()
		default:
			s.element(name, elem, live)
		}
	}
	s.do("compact", s.db.Compact(context.Background(), Range{}))
	s.do("step", s.db.step())
	s.check()
}

// element adds or removes an element of the collection called name, of the type
// it has or else any.
func (s *session) element(name, elem string, live *modelKey) {
	typ := []typed.Type{typed.TypeHash, typed.TypeSet, typed.TypeZSet, typed.TypeList}[s.rng.IntN(4)]
	if live != nil {
		typ = live.typ
	}
	remove := live != nil && s.rng.IntN(3) == 0
	value, score := s.value(50), float64(s.rng.IntN(9))
	removed := func(m *oracle) { m.remove(name, elem) }
	switch {
	case typ == typed.TypeString:
	case typ == typed.TypeHash && remove:
		s.commit(SyncDurability, removed, func() error { _, err := s.db.Hash(name).Remove(elem); return err })
	case typ == typed.TypeHash:
		s.commit(SyncDurability, func(m *oracle) { m.element(name, typ, elem, value) }, func() error {
			_, err := s.db.Hash(name).Set(elem, []byte(value))
			return err
		})
	case typ == typed.TypeSet && remove:
		s.commit(SyncDurability, removed, func() error { _, err := s.db.Set(name).Remove(elem); return err })
	case typ == typed.TypeSet:
		s.commit(SyncDurability, func(m *oracle) { m.element(name, typ, elem, "") }, func() error {
			_, err := s.db.Set(name).Add(elem)
			return err
		})
	case typ == typed.TypeZSet && remove:
		s.commit(SyncDurability, removed, func() error { _, err := s.db.ZSet(name).Remove(elem); return err })
	case typ == typed.TypeZSet:
		s.commit(SyncDurability, func(m *oracle) { m.element(name, typ, elem, fmt.Sprint(score)) }, func() error {
			_, err := s.db.ZSet(name).Add(elem, score)
			return err
		})
	case remove:
		items := s.model.items(name)
		s.commit(SyncDurability, func(m *oracle) { m.list(name, items[1:]) }, func() error { _, err := s.db.List(name).PopFront(); return err })
	default:
		items := s.model.items(name)
		s.commit(SyncDurability, func(m *oracle) { m.list(name, append(slices.Clip(items), value)) }, func() error {
			_, err := s.db.List(name).PushBack([]byte(value))
			return err
		})
	}
}

// heldOverCompaction keeps snapshots and iterators open while everything they
// see is overwritten and merged away.
func heldOverCompaction(s *session) {
	type hold struct {
		snap *Snapshot
		iter *Iterator
		keys string
	}
	var held []hold
	for i := range 60 {
		s.put(s.level(), s.key(), s.value(150))
		if i%12 == 3 {
			snap, err := s.db.NewSnapshot()
			s.do("snapshot", err)
			it, err := s.db.NewIter(nil)
			if err != nil {
				s.do("iterator", err)
				snap.Close()
				continue
			}
			held = append(held, hold{snap, it, fmt.Sprint(s.liveContent())})
		}
		if s.rng.IntN(7) == 0 {
			s.step()
		}
	}
	for _, h := range held {
		var content []string
		for ok := h.iter.First(); ok; ok = h.iter.Next() {
			content = append(content, string(h.iter.Key())+"="+string(h.iter.Value()))
		}
		s.sameContent("iterator", h.keys, content, h.iter.Err())
		content = nil
		var err error
		for kv, e := range h.snap.Scan(Range{}) {
			if err = e; err == nil {
				content = append(content, string(kv.Key)+"="+string(kv.Value))
			}
		}
		s.sameContent("snapshot", h.keys, content, err)
		s.do("close iterator", h.iter.Close())
		h.snap.Close()
	}
	s.check()
}

func (s *session) liveContent() []string {
	var content []string
	for _, key := range s.liveKeys() {
		content = append(content, key+"="+s.model.live(key).elems[""])
	}
	return content
}

func (s *session) sameContent(what, want string, content []string, err error) {
	s.t.Helper()
	if err != nil {
		s.legal(what, err)
		return
	}
	if got := fmt.Sprint(content); got != want {
		s.t.Fatalf("%s held over compactions shows\n%s\nand when it was made the store held\n%s", what,
			strings.ReplaceAll(got, " ", "\n"), strings.ReplaceAll(want, " ", "\n"))
	}
}

// reopenings closes and opens the store over and over, with little in between.
func reopenings(s *session) {
	for range 8 {
		for range s.rng.IntN(12) {
			s.put(s.level(), s.key(), s.value(100))
		}
		if s.rng.IntN(2) == 0 {
			s.step()
		}
		if s.rng.IntN(3) == 0 {
			_, err := s.db.set.NewID()
			s.do("id", err)
		}
		s.close()
		if !s.open() {
			return
		}
		s.compare()
	}
}

// creation makes a store where not even the directories exist.
func creation(s *session) {
	for range 3 {
		s.put(SyncDurability, s.key(), s.value(40))
	}
	s.close()
	if s.open() {
		s.put(SyncDurability, s.key(), s.value(40))
	}
}

// keyspaces makes and drops three keyspaces over and over, and writes into them
// and the default one, together and apart.
func keyspaces(s *session) {
	for range 130 {
		name, key := fmt.Sprintf("ks%d", s.rng.IntN(3)), fmt.Sprintf("k%d", s.rng.IntN(6))
		if s.model.keys[inKeyspace(name, "")] == nil {
			s.commit(SyncDurability, func(m *oracle) { m.set(inKeyspace(name, ""), &modelKey{}) }, func() error {
				_, err := s.db.CreateKeyspace(name)
				return err
			})
			continue
		}
		ks, err := s.db.CreateKeyspace(name)
		if err != nil {
			s.legal("keyspace", err)
			continue
		}
		value, d := s.value(120), s.level()
		switch n := s.rng.IntN(24); {
		case n < 3:
			s.commit(SyncDurability, func(m *oracle) { m.deleteRange(inKeyspace(name, ""), inKeyspace(name, "~")) }, func() error {
				return s.db.DropKeyspace(name)
			})
		case n == 3:
			s.commit(SyncDurability, func(m *oracle) { m.deleteRange("", "") }, s.db.DropAll)
		case n == 4:
			var b Batch
			b.In(ks).DeleteRange(Range{})
			b.In(ks).Put([]byte(key), []byte(value))
			b.Put([]byte(key), []byte(value))
			s.commit(d, func(m *oracle) {
				m.deleteRange(inKeyspace(name, "\x00"), inKeyspace(name, "~"))
				m.put(inKeyspace(name, key), value)
				m.put(key, value)
			}, func() error { return s.db.Apply(&b, d) })
		case n < 8:
			s.commit(SyncDurability, func(m *oracle) {
				m.element(inKeyspace(name, "hash"), typed.TypeHash, key, value)
				m.put(key, value)
			}, func() error {
				return s.db.Update(context.Background(), func(tx *Tx) error {
					if _, err := tx.In(ks).Hash("hash").Set(key, []byte(value)); err != nil {
						return err
					}
					return tx.Put([]byte(key), []byte(value))
				})
			})
		case n < 12:
			s.step()
		case n == 12:
			s.do("compact", s.db.Compact(context.Background(), Range{}))
		default:
			var b Batch
			b.In(ks).Put([]byte(key), []byte(value))
			s.commit(d, func(m *oracle) { m.put(inKeyspace(name, key), value) }, func() error { return s.db.Apply(&b, d) })
		}
	}
	s.check()
}

// seeded is the generator of one test, told by its seed when the test fails.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5117)) }
