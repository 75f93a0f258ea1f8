package sstable

import "github.com/siltstonedb/siltstone/internal/cache"

// window is a stretch of a table's file, one or more whole data blocks, read in
// one piece ahead of an iterator. It is not safe for concurrent use.
type window struct {
	offset int64
	buf    []byte
}

const (
	coldAhead  = 128 << 10 // a compaction's reads
	firstAhead = 32 << 10  // a scan's second sequential read; then it doubles
	maxAhead   = 256 << 10
)

// forget empties the window and keeps its buffer, unless a huge block made it.
func (w *window) forget() {
	w.offset, w.buf = 0, w.buf[:0]
	if cap(w.buf) > keepBuffer {
		w.buf = nil
	}
}

// room makes the buffer n bytes long.
func (w *window) room(n int) {
	if cap(w.buf) < n {
		w.giveBack()
		w.buf = windows.take(n)
	}
	w.buf = w.buf[:n]
}

// giveBack lets other windows have the buffer.
func (w *window) giveBack() {
	windows.put(w.buf)
	w.offset, w.buf = 0, nil
}

// holds reports whether the window has the bytes of a block.
func (w *window) holds(offset, length int64) bool {
	return offset >= w.offset && offset+length <= w.offset+int64(len(w.buf))
}

// block returns the bytes of data block i, which it reads if the window does not
// hold them: as many blocks as fit size bytes, from i on or, backward, up to i.
// They are borrowed until the next read.
func (w *window) block(r *Reader, i int, backward bool, size int) ([]byte, error) {
	offset, length := r.index.handle(i)
	if !w.holds(offset, length) {
		if err := w.read(r, i, backward, size); err != nil {
			w.forget()
			return nil, err
		}
	}
	from := int(offset - w.offset)
	return w.buf[from : from+int(length)], nil
}

func (w *window) read(r *Reader, i int, backward bool, size int) error {
	from, length := r.index.handle(i)
	end := from + length
	if backward {
		for i--; i >= 0; i-- {
			offset, _ := r.index.handle(i)
			if end-offset > int64(size) {
				break
			}
			from = offset
		}
	} else {
		for i++; i < r.index.blocks(); i++ {
			offset, length := r.index.handle(i)
			if offset+length-from > int64(size) {
				break
			}
			end = offset + length
		}
	}
	w.room(int(end - from))
	w.offset = from
	return r.readAt(w.buf, from)
}

// seek makes block number the iterator's, as a first access that may go
// anywhere; false if there is no such block or it cannot be read.
func (it *Iter) seek(number int) bool {
	it.err, it.ahead, it.aimed = nil, 0, 0
	return it.load(number, true, false)
}

// step makes block number, a neighbour of the iterator's, the iterator's.
func (it *Iter) step(number int, backward bool) bool {
	it.ahead = it.further()
	return it.load(number, false, backward)
}

// further returns how much to read ahead from here: twice as much as before, as
// long as the cache lends the memory.
func (it *Iter) further() int {
	want := min(max(2*it.ahead, firstAhead), maxAhead)
	if it.o.Cold || it.r == nil || it.r.o.Cache == nil {
		return want
	}
	if more := want - it.lent; more > 0 {
		if !it.r.o.Cache.Lend(int64(more)) {
			return it.lent
		}
		it.lent += more
	}
	return want
}

// takeBack returns the memory that was lent, and lets the next one who reads ahead
// have it.
func (it *Iter) takeBack() {
	if it.lent > 0 {
		it.r.o.Cache.Takeback(int64(it.lent))
		it.lent = 0
		it.window.giveBack()
	}
}

// load makes block number the iterator's: the cached one, or read from disk,
// through the window if the iterator reads ahead.
func (it *Iter) load(number int, seek, backward bool) bool {
	r := it.r
	if r == nil || number < 0 || number >= r.index.blocks() {
		it.drop()
		return false
	}
	if it.block != nil && it.number == number && it.block != &it.own {
		it.enter(it.block, number)
		return true
	}
	if b := it.cached(number, seek && !it.o.Cold); b != nil {
		it.enter(b, number)
		return true
	}
	if r.outside(&bounds{it.o.Lower, it.o.Upper}, number, backward) {
		it.drop()
		return false
	}
	if it.o.KeysOnly && r.index.alone(number) {
		return it.loadHead(number)
	}
	offset, length := r.index.handle(number)
	if it.o.Cold || r.o.Cache == nil || !r.o.Cache.Admits(&r.slots[number], length, seek) {
		return it.loadOwn(number, seek, backward)
	}
	// A large value lasts, so that a walk backwards need not copy it.
	o := fetchOptions{hot: seek, lease: length <= maxAhead, keysOnly: it.o.KeysOnly}
	// A block of more than half the window would be alone there, and copied for
	// nothing: it is read to where it stays.
	if it.ahead > firstAhead && (2*length <= int64(it.ahead) || it.window.holds(offset, length)) {
		sealed, err := it.window.block(r, number, backward, it.ahead)
		if err != nil {
			return it.fail(err)
		}
		o.sealed = sealed
	}
	b, err := r.fetch(number, o)
	if err != nil {
		return it.fail(err)
	}
	it.leave()
	it.block, it.leased = b, o.lease
	it.enter(b, number)
	return true
}

// walkSample is how many hits an iterator counts at a time. An iterator is used again
// for walk after walk, so that those of short walks add up.
const walkSample = 16

// cached returns the cached block with that number if it has what the iterator
// needs.
func (it *Iter) cached(number int, mark bool) *block {
	if len(it.r.slots) == 0 {
		return nil
	}
	s := &it.r.slots[number]
	var e *cache.Entry
	if mark {
		e = s.Load()
	} else {
		e = s.Peek()
	}
	if e == nil {
		return nil
	}
	b := blockOf(e)
	if b.values == nil && !it.o.KeysOnly {
		return nil
	}
	if it.o.Cold {
		return b
	}
	if it.hits++; it.hits == walkSample {
		it.r.o.Cache.CountHits(walkSample)
		it.hits = 0
	}
	return b
}

// loadHead reads what block number, one large record, has beside the value.
func (it *Iter) loadHead(number int) bool {
	it.leave()
	buf, err := it.r.readHead(&it.own, number, it.ownBuf)
	if it.ownBuf = buf; err != nil {
		return it.fail(err)
	}
	it.enter(&it.own, number)
	return true
}

// loadOwn reads block number into the iterator's own memory.
func (it *Iter) loadOwn(number int, seek, backward bool) bool {
	r := it.r
	size := coldAhead
	if seek && !it.o.Cold {
		size = 0
	} else if !it.o.Cold {
		size = it.ahead
	}
	it.leave() // what it pointed at is overwritten
	sealed, err := it.window.block(r, number, backward, size)
	if err == nil {
		err = r.decode(&it.own, sealed, number)
	}
	if err != nil {
		return it.fail(err)
	}
	if it.own.packed != nil && !it.o.KeysOnly {
		if it.ownBuf, err = it.own.unpackInto(&it.own, it.ownBuf, &r.unpacker); err != nil {
			offset, _ := r.index.handle(number)
			return it.fail(r.corrupt(offset, err))
		}
	}
	it.enter(&it.own, number)
	return true
}
