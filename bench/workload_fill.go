package main

// fill puts every key that is missing, one commit each, from one goroutine. What a time
// limit cuts off is loaded untimed, so that the steps behind find all keys.
func fill(b *bed) (*measure, error) {
	b.writers(1)
	base := b.stored
	d := drive{workers: 1, ops: int64(b.n - base), limit: b.limit}
	m, err := d.run(func(w *worker, i int64) (int, error) { return 1, b.put(w, base+uint64(i), 0) })
	if err != nil {
		return nil, err
	}
	b.stored = base + uint64(m.ops)
	b.user += m.ops * b.pairLen()
	return m, b.load()
}

// fillBatches puts every key in batches of the given size; the throughput is
// that of keys.
func fillBatches(size int) stepFunc {
	return func(b *bed) (*measure, error) {
		b.writers(1)
		d := drive{workers: 1, ops: int64(b.n) / int64(size), limit: b.limit}
		keyLen := b.keys.len()
		m, err := d.run(func(w *worker, batch int64) (int, error) {
			w.key, w.pairs = w.key[:0], w.pairs[:0]
			if cap(w.key) < size*keyLen {
				w.key = make([]byte, 0, size*keyLen)
			}
			for j := range size {
				i := uint64(batch)*uint64(size) + uint64(j)
				at := len(w.key)
				w.key = b.keys.append(w.key, i)
				w.pairs = append(w.pairs, Pair{w.key[at:len(w.key):len(w.key)], b.values.of(i, 0)})
			}
			return size, b.engine.Apply(w.pairs)
		})
		if err != nil {
			return nil, err
		}
		b.stored = uint64(m.units)
		b.user += m.units * b.pairLen()
		return m, nil
	}
}

// overwrite puts keys that exist, picked at random, from several goroutines: as
// many puts as there are keys.
func overwrite(writers int) stepFunc {
	return func(b *bed) (*measure, error) {
		b.writers(writers)
		keys := uniform{b.stored}
		d := drive{workers: writers, ops: int64(b.stored), limit: b.limit}
		m, err := d.run(func(w *worker, i int64) (int, error) {
			return 1, b.put(w, keys.pick(&w.rng), uint64(i)|1)
		})
		if err == nil {
			b.user += m.ops * b.pairLen()
		}
		return m, err
	}
}

// syncedPuts puts new keys from several goroutines into a store whose commits
// are durable when they return.
func syncedPuts(writers int) stepFunc {
	return func(b *bed) (*measure, error) {
		b.writers(writers)
		d := drive{workers: writers, ops: int64(b.n), limit: b.limit}
		base := b.stored
		m, err := d.run(func(w *worker, i int64) (int, error) { return 1, b.put(w, base+uint64(i), 0) })
		b.stored += b.n
		return m, err
	}
}
