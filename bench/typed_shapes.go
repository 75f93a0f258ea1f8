package main

import (
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone"
)

// typedShape is a row: one command of redis with random numbers in it, and the
// call of siltstone that does the same.
//
// redis-benchmark puts a number of twelve digits below -r for each __rand_int__;
// key:000000012345 is such a key. Keys are formatted anew for each operation by
// both sides.
type typedShape struct {
	row, title string
	after      string // the row whose data this one reads
	command    []string
	call       func(db *siltstone.DB, w *worker, n uint64, v *values) error
	flash      float64 // µs a call of FlashDB takes; 0: not known
}

const (
	random     = "__rand_int__"
	typedValue = 100 // bytes
)

// name returns prefix and a random number below n, as redis-benchmark writes it.
func (w *worker) name(prefix string, n uint64) string {
	w.number = w.rng.below(n)
	return w.named(prefix, w.number)
}

func (w *worker) named(prefix string, i uint64) string {
	const digits = 12
	w.key = append(w.key[:0], prefix...)
	w.key = append(w.key, "000000000000"...)
	for at := len(w.key) - 1; i > 0 && at >= len(w.key)-digits; at-- {
		w.key[at] = byte('0' + i%10)
		i /= 10
	}
	return string(w.key)
}

// found drops the error of a read that found nothing.
func found(err error) error {
	if errors.Is(err, siltstone.ErrNotFound) {
		return nil
	}
	return err
}

// typedShapes are the rows in the order in which they run.
func typedShapes() []typedShape {
	data := fmt.Sprintf("%0*d", typedValue, 0)
	return []typedShape{
		{row: "set", title: "SET, 1 key of n", flash: 4.6, command: []string{"SET", "key:" + random, data}, call: callSet},
		{row: "get", title: "GET, 1 key of n", flash: 1.3, after: "set", command: []string{"GET", "key:" + random}, call: callGet},
		{row: "incr", title: "INCR, 1 key of n", command: []string{"INCR", "counter:" + random}, call: callIncr},
		{row: "hset", title: "HSET, 1 hash of n, one field each", flash: 3.4, command: []string{"HSET", "hash:" + random, "field", data}, call: callHSet},
		{row: "hget", title: "HGET, 1 hash of n, one field each", flash: 1.1, after: "hset", command: []string{"HGET", "hash:" + random, "field"}, call: callHGet},
		{row: "sadd", title: "SADD, 1 set of n, one member each", flash: 1.75, command: []string{"SADD", "set:" + random, "element"}, call: callSAdd},
		{row: "sadd-one", title: "SADD, one set, 1 member of n", command: []string{"SADD", "myset", "element:" + random}, call: callSAddOne},
		{row: "zadd", title: "ZADD, 1 sorted set of n, one member each", flash: 4.2, command: []string{"ZADD", "zset:" + random, random, "element"}, call: callZAdd},
		{row: "zadd-one", title: "ZADD, one sorted set, 1 member of n", command: []string{"ZADD", "myzset", random, "element:" + random}, call: callZAddOne},
	}
}

func callSet(db *siltstone.DB, w *worker, n uint64, v *values) error {
	key := w.name("key:", n)
	return db.String(key).Set(v.of(w.number, 0))
}

func callGet(db *siltstone.DB, w *worker, n uint64, _ *values) (err error) {
	w.value, err = db.String(w.name("key:", n)).AppendGet(w.value[:0])
	return found(err)
}

func callIncr(db *siltstone.DB, w *worker, n uint64, _ *values) error {
	_, err := db.String(w.name("counter:", n)).Incr(1)
	return err
}

func callHSet(db *siltstone.DB, w *worker, n uint64, v *values) error {
	key := w.name("hash:", n)
	_, err := db.Hash(key).Set("field", v.of(w.number, 0))
	return err
}

func callHGet(db *siltstone.DB, w *worker, n uint64, _ *values) (err error) {
	w.value, err = db.Hash(w.name("hash:", n)).AppendGet(w.value[:0], "field")
	return found(err)
}

func callSAdd(db *siltstone.DB, w *worker, n uint64, _ *values) error {
	_, err := db.Set(w.name("set:", n)).Add("element")
	return err
}

func callSAddOne(db *siltstone.DB, w *worker, n uint64, _ *values) error {
	_, err := db.Set("myset").Add(w.name("element:", n))
	return err
}

func callZAdd(db *siltstone.DB, w *worker, n uint64, _ *values) error {
	key := w.name("zset:", n)
	_, err := db.ZSet(key).Add("element", float64(w.rng.below(n)))
	return err
}

func callZAddOne(db *siltstone.DB, w *worker, n uint64, _ *values) error {
	member := w.name("element:", n)
	_, err := db.ZSet("myzset").Add(member, float64(w.rng.below(n)))
	return err
}
