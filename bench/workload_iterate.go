package main

import "fmt"

// touch looks at a pair as a user would: at the key's and the value's last byte.
func touch(c Cursor) int {
	k, v := c.Key(), c.Value()
	if len(k) == 0 || len(v) == 0 {
		return 0
	}
	return int(k[len(k)-1]) + int(v[len(v)-1])
}

// seeks returns how many seeks a row makes.
func (b *bed) seeks() int64 { return max(int64(b.stored)/2, 20_000) }

// seekKept seeks to keys at random on one cursor and takes n pairs each time.
// The throughput is that of seeks.
func seekKept(n int) stepFunc {
	return func(b *bed) (*measure, error) {
		c, err := b.engine.NewCursor(false)
		if err != nil {
			return nil, err
		}
		keys := uniform{b.stored}
		d := drive{workers: 1, ops: b.seeks(), limit: b.limit}
		m, err := d.run(func(w *worker, _ int64) (int, error) {
			w.key = b.keys.append(w.key[:0], keys.pick(&w.rng))
			return 1, take(c, w.key, n)
		})
		if cerr := c.Close(); err == nil {
			err = cerr
		}
		return m, err
	}
}

// seekFresh is seekKept with a new cursor for each seek.
func seekFresh(n int) stepFunc {
	return func(b *bed) (*measure, error) {
		keys := uniform{b.stored}
		d := drive{workers: 1, ops: b.seeks(), limit: b.limit}
		return d.run(func(w *worker, _ int64) (int, error) {
			w.key = b.keys.append(w.key[:0], keys.pick(&w.rng))
			return 1, seekOnce(b.engine, w.key, n)
		})
	}
}

func seekOnce(e Engine, key []byte, n int) error {
	c, err := e.NewCursor(false)
	if err != nil {
		return err
	}
	err = take(c, key, n)
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	return err
}

// take seeks to key, which exists, and looks at up to n pairs from there on.
func take(c Cursor, key []byte, n int) error {
	ok := c.SeekGE(key)
	if !ok || string(c.Key()) != string(key) {
		return fmt.Errorf("seek of %s found nothing or another key", key)
	}
	for sum := touch(c); n > 1; n-- {
		if !c.Next() {
			break
		}
		sum += touch(c)
	}
	return nil
}

// scanForward walks the whole store, over and over until the limit; the
// throughput is that of keys.
func scanForward(b *bed) (*measure, error) { return scanAll(b, false) }

// scanBackward is scanForward from the end to the front.
func scanBackward(b *bed) (*measure, error) { return scanAll(b, true) }

const scans = 3 // of the whole store, in a row

func scanAll(b *bed, back bool) (*measure, error) {
	d := drive{workers: 1, ops: scans, limit: b.limit}
	return d.run(func(*worker, int64) (int, error) {
		n, err := walk(b.engine, back)
		if err == nil && uint64(n) != b.stored {
			err = fmt.Errorf("%s: a scan saw %d keys of %d", b.kind.name, n, b.stored)
		}
		return n, err
	})
}

// walk goes through the whole store and returns how many pairs it saw.
func walk(e Engine, back bool) (int, error) {
	c, err := e.NewCursor(back)
	if err != nil {
		return 0, err
	}
	n, sum := 0, 0
	if back {
		for ok := c.Last(); ok; ok = c.Prev() {
			n++
			sum += touch(c)
		}
	} else {
		for ok := c.First(); ok; ok = c.Next() {
			n++
			sum += touch(c)
		}
	}
	return n, c.Close()
}
