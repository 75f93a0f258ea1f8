package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/siltstonedb/siltstone"
)

// writer changes keys that are its own, so that it knows what they hold.
type writer struct {
	*load
	number  int
	rng     *rand.Rand
	written int64
	spaces  int    // keyspaces made and dropped
	turn    uint64 // counts values, no two of which are alike

	plain []item // raw keys
	timed []item // raw keys with a time to live
	types types  // of typed values
	brief ring   // elements and keys that end soon
}

// item is what a key holds: the value of a turn, or nothing.
type item struct {
	turn     uint64 // 0: nothing
	from, to int64  // Unix milliseconds between which it ends; 0: it does not
}

const (
	plainKeys = 15_000
	timedKeys = 6_000
	meanValue = 1000 // bytes
)

func newWriter(l *load, number int, rng *rand.Rand) *writer {
	return &writer{load: l, number: number, rng: rng, plain: make([]item, plainKeys), timed: make([]item, timedKeys), types: newTypes()}
}

func (w *writer) plainKey(i int) []byte { return fmt.Appendf(nil, "plain%d/%06d", w.number, i) }
func (w *writer) timedKey(i int) []byte { return fmt.Appendf(nil, "timed%d/%06d", w.number, i) }

// sizeOf is the length of the value of a turn.
func sizeOf(turn uint64) int { return meanValue/5 + int(turn*0x9E3779B97F4A7C15>>32)%(meanValue*8/5) }

// value returns the value of a turn: bytes that say which one and do not compress.
func (w *writer) value(turn uint64) []byte { return w.bytesOf(turn, sizeOf(turn)) }

func (w *writer) bytesOf(turn uint64, size int) []byte {
	v := make([]byte, 0, size+8)
	for x := turn<<8 | uint64(w.number); len(v) < size; {
		x = x*6364136223846793005 + 1442695040888963407
		v = binary.LittleEndian.AppendUint64(v, x^x>>31)
	}
	return v[:size]
}

// next begins a turn, whose value is about to be written.
func (w *writer) next() (turn uint64, value []byte) {
	w.turn++
	value = w.value(w.turn)
	w.written += int64(len(value))
	return w.turn, value
}

// ttl draws a time to live.
func (w *writer) ttl() time.Duration { return time.Duration(200+w.rng.IntN(15_000)) * time.Millisecond }

// timing runs fn, which writes something that lives for ttl, and returns between which
// milliseconds it ends: the store reads its clock while fn runs, and rounds up.
func timing(ttl time.Duration, fn func() error) (from, to int64, err error) {
	before := time.Now()
	err = fn()
	return before.Add(ttl).UnixMilli(), time.Now().Add(ttl).UnixMilli() + 1, err
}

// run changes and reads until the context ends.
func (w *writer) run(ctx context.Context) error {
	for ctx.Err() == nil {
		begin := time.Now()
		long, err := w.step()
		if err != nil {
			return err
		}
		if !long {
			w.lat.add(time.Since(begin))
		}
		w.ops.Add(1)
	}
	return nil
}

// step does one thing at random. It reports whether that was many operations.
func (w *writer) step() (long bool, err error) {
	switch n := w.rng.IntN(1000); {
	case n < 300:
		return false, w.put(w.rng.IntN(plainKeys))
	case n < 420:
		return false, w.putTimed(w.rng.IntN(timedKeys))
	case n < 470:
		return false, w.remove(w.rng.IntN(plainKeys))
	case n < 475:
		return false, w.removeRange(w.rng.IntN(plainKeys), w.rng.IntN(40))
	case n < 560:
		return false, w.batch()
	case n < 590:
		return false, w.transaction()
	case n < 660:
		return false, w.look(w.rng.IntN(plainKeys))
	case n < 690:
		return false, w.lookTimed(w.rng.IntN(timedKeys))
	case n < 700:
		return true, w.scan(w.rng.IntN(plainKeys))
	case n == 700 && w.rng.IntN(10) == 0:
		return true, w.keyspace()
	case n < 750:
		return false, w.briefly()
	}
	return false, w.typed()
}

func (w *writer) put(i int) error {
	turn, v := w.next()
	w.plain[i] = item{turn: turn}
	return w.db.Put(w.plainKey(i), v)
}

func (w *writer) putTimed(i int) error {
	turn, v := w.next()
	ttl := w.ttl()
	from, to, err := timing(ttl, func() error { return w.db.PutTTL(w.timedKey(i), v, ttl) })
	w.timed[i] = item{turn, from, to}
	return err
}

func (w *writer) remove(i int) error {
	w.plain[i] = item{}
	return w.db.Delete(w.plainKey(i))
}

func (w *writer) removeRange(i, n int) error {
	end := min(i+n, plainKeys)
	clear(w.plain[i:end])
	return w.db.DeleteRange(siltstone.Range{Lower: w.plainKey(i), Upper: w.plainKey(end)})
}

// batch puts some keys and deletes one, sometimes durably.
func (w *writer) batch() error {
	var b siltstone.Batch
	for range 1 + w.rng.IntN(10) {
		i := w.rng.IntN(plainKeys)
		turn, v := w.next()
		b.Put(w.plainKey(i), v)
		w.plain[i] = item{turn: turn}
	}
	i := w.rng.IntN(plainKeys)
	b.Delete(w.plainKey(i))
	w.plain[i] = item{}
	d := siltstone.DefaultDurability
	if w.rng.IntN(100) == 0 {
		d = siltstone.SyncDurability
	}
	return w.db.Apply(&b, d)
}

// transaction moves the value of a key to another one, and counts that.
func (w *writer) transaction() error {
	from, to := w.rng.IntN(plainKeys), w.rng.IntN(plainKeys)
	turn, v := w.next()
	err := w.db.Update(context.Background(), func(tx *siltstone.Tx) error {
		old, err := tx.Get(w.plainKey(from))
		if err != nil && !errors.Is(err, siltstone.ErrNotFound) {
			return err
		}
		if err := w.compare(w.plainKey(from), w.plain[from], old, err == nil); err != nil {
			return err
		}
		if err := errors.Join(tx.Delete(w.plainKey(from)), tx.Put(w.plainKey(to), v)); err != nil {
			return err
		}
		_, err = tx.String(w.name("moves", 0)).Incr(1)
		return err
	})
	w.plain[from] = item{}
	w.plain[to] = item{turn: turn}
	w.types.moves++
	return err
}

// compare holds what a key has against what it must have, if it does not end.
func (w *writer) compare(key []byte, want item, v []byte, found bool) error {
	switch {
	case found && want.turn == 0:
		return fmt.Errorf("%s is there, and was deleted", key)
	case !found && want.turn != 0:
		return fmt.Errorf("%s is missing", key)
	case found && !bytes.Equal(v, w.value(want.turn)):
		return fmt.Errorf("%s has not its value of turn %d", key, want.turn)
	}
	return nil
}

func (w *writer) look(i int) error {
	v, err := w.db.Get(w.plainKey(i))
	if err != nil && !errors.Is(err, siltstone.ErrNotFound) {
		return err
	}
	return w.compare(w.plainKey(i), w.plain[i], v, err == nil)
}

func (w *writer) lookTimed(i int) error {
	it := w.timed[i]
	var v []byte
	return it.ends(string(w.timedKey(i)), func() (bool, error) {
		var err error
		if v, err = w.db.Get(w.timedKey(i)); err == nil && !bytes.Equal(v, w.value(it.turn)) {
			return true, fmt.Errorf("%s has not its value of turn %d", w.timedKey(i), it.turn)
		}
		return found(err)
	})
}

// found returns whether a read found something, and its error if that is another one.
func found(err error) (bool, error) {
	if errors.Is(err, siltstone.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// ends calls has, and says if that finds an item after its end, or does not find it before.
func (it item) ends(name string, has func() (bool, error)) error {
	before := time.Now().UnixMilli()
	there, err := has()
	if err != nil {
		return err
	}
	after := time.Now().UnixMilli()
	switch {
	case there && (it.turn == 0 || before > it.to):
		return fmt.Errorf("%s is there, and ended at %d at the latest; now it is %d", name, it.to, before)
	case !there && it.turn != 0 && after < it.from:
		return fmt.Errorf("%s is missing, and ends at %d at the earliest; now it is %d", name, it.from, after)
	}
	return nil
}

// scan compares some keys in a row.
func (w *writer) scan(i int) error {
	end := min(i+200, plainKeys)
	for kv, err := range w.db.Scan(siltstone.Range{Lower: w.plainKey(i), Upper: w.plainKey(end)}) {
		if err != nil {
			return err
		}
		for ; i < end && !bytes.Equal(w.plainKey(i), kv.Key); i++ {
			if err := w.compare(w.plainKey(i), w.plain[i], nil, false); err != nil {
				return err
			}
		}
		if i == end {
			return fmt.Errorf("a scan shows %q, which is none of its keys", kv.Key)
		}
		if err := w.compare(kv.Key, w.plain[i], kv.Value, true); err != nil {
			return err
		}
		i++
	}
	for ; i < end; i++ {
		if err := w.compare(w.plainKey(i), w.plain[i], nil, false); err != nil {
			return err
		}
	}
	return nil
}

// keyspace makes a keyspace, fills it, counts its keys, and drops it.
func (w *writer) keyspace() error {
	name := w.name("space", w.spaces)
	ks, err := w.db.CreateKeyspace(name)
	if err != nil {
		return err
	}
	const keys = 50
	for i := range keys {
		_, v := w.next()
		if err := ks.Put(fmt.Appendf(nil, "%03d", i), v); err != nil {
			return err
		}
		if _, err := ks.Hash("hash").Set(fmt.Sprint(i), v[:100]); err != nil {
			return err
		}
	}
	n, err := ks.Keys().Count()
	if err == nil && n != keys+1 {
		err = fmt.Errorf("keyspace %s has %d keys, want %d", name, n, keys+1)
	}
	w.spaces++
	return errors.Join(err, w.db.DropKeyspace(name))
}

func (w *writer) name(what string, i int) string { return fmt.Sprintf("%s%d/%d", what, w.number, i) }

// verify compares every key of the writer.
func (w *writer) verify() error {
	for i := 0; i < plainKeys; i += 200 {
		if err := w.scan(i); err != nil {
			return err
		}
	}
	for i := range w.plain {
		if err := w.look(i); err != nil {
			return err
		}
	}
	for i := range w.timed {
		if err := w.lookTimed(i); err != nil {
			return err
		}
	}
	for i := range w.brief.all {
		if err := w.lookBriefly(i); err != nil {
			return err
		}
	}
	return w.verifyTyped()
}

// live returns how many bytes of raw values have not ended.
func (w *writer) live() (n int64) {
	now := time.Now().UnixMilli()
	for _, it := range w.plain {
		if it.turn != 0 {
			n += int64(sizeOf(it.turn))
		}
	}
	for _, it := range w.timed {
		if it.turn != 0 && now < it.from {
			n += int64(sizeOf(it.turn))
		}
	}
	return n
}
