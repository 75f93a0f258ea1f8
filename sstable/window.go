package sstable

// window is a stretch of a table's file, one or more whole data blocks, read in
// one piece ahead of an iterator. It is not safe for concurrent use.
type window struct {
	offset int64
	buf    []byte
}

// pace is how far a walk reads ahead.
type pace struct {
	window window
	lent   int   // bytes that the cache has lent for it
	ahead  int   // bytes to read at once, grows while moves are sequential
	walked int64 // bytes that the walk has read through the window
	hinted int   // the last block that the file system was asked for, or the walk's first
	goesOn bool  // from another table, until the next move
	long   bool  // the file system reads ahead, see beginLong
}

// What a walk reads of a table grows with what it has read: the block it begins in,
// then two of the usual size, and twice as much each time. So a short walk reads little
// that it does not come to, and a long one waits seldom.
const (
	firstAhead = 36 << 10 // two blocks, with what they have beside keys and values
	maxAhead   = firstAhead << (windowSizes - 1)
	coldAhead  = 4 * firstAhead // a compaction's reads
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
// hold them, together with the blocks up to number to, on either side. They are
// borrowed until the next read.
func (w *window) block(r *Reader, i, to int) ([]byte, error) {
	offset, length := r.index.handle(i)
	if !w.holds(offset, length) {
		err := w.read(r, min(i, to), max(i, to))
		if err != nil && to != i {
			err = w.read(r, i, i) // what cannot be read may be what nobody comes to
		}
		if err != nil {
			w.forget()
			return nil, err
		}
	}
	from := int(offset - w.offset)
	return w.buf[from : from+int(length)], nil
}

// read fills the window with the blocks first to last.
func (w *window) read(r *Reader, first, last int) error {
	from, to := r.index.span(first, last)
	w.room(int(to - from))
	w.offset = from
	return r.readAt(w.buf, from)
}

// span returns where blocks first to last stand in the file.
func (x *index) span(first, last int) (from, to int64) {
	from, _ = x.handle(first)
	to, length := x.handle(last)
	return from, to + length
}

// hinter is what a file may be, too: see vfs.Hinter.
type hinter interface {
	ReadAhead(may bool)
	WillRead(off, n int64)
}

// willRead begins to read the blocks first to last, if the file can.
func (r *Reader) willRead(first, last int) {
	if r.hints != nil {
		from, to := r.index.span(first, last)
		r.hints.WillRead(from, to-from)
	}
}

// stretch returns the last block that is worth reading together with block i: of those
// behind it or, backward, before it, that fit size bytes with it and may hold what the
// iterator is asked for. That is i itself if there is none.
func (it *Iter) stretch(i int, backward bool, size int64) int {
	x, end, step := it.r.index, it.end(backward), 1
	if backward {
		step = -1
	}
	from, to := x.span(i, i)
	for to-from <= size && (end-i)*step > 0 {
		offset, length := x.handle(i + step)
		if from, to = min(from, offset), max(to, offset+length); to-from > size || it.o.KeysOnly && x.alone(i+step) {
			break
		}
		i += step
	}
	return i
}

// A long walk backward reads a window while the file system reads what comes before it: a
// part of what the walk has read, so that little is read in vain when it ends.
const (
	hintShare = 2
	mostHint  = 2 << 20 // bytes
)

// hint asks the file system for what a long walk comes to beyond block to, where the
// window ends. A walk forward is left to the file system's own read-ahead, which reads in
// larger pieces; a merge, which goes on to the end, from its first window on. Of walks
// backward a file system knows nothing.
func (it *Iter) hint(to int, backward bool) {
	size, end, step := min(it.walked/hintShare, mostHint), it.end(backward), 1
	if it.o.Cold {
		size = mostHint
	}
	if backward {
		step = -1
	}
	if it.r.hints == nil || size < maxAhead || (end-to)*step <= 0 {
		return
	}
	if !backward {
		it.beginLong()
		return
	}
	from := to + step
	last := it.stretch(from, backward, size)
	if (it.hinted-to)*step > 0 {
		from = it.hinted + step
	}
	if (last-from)*step < 0 {
		return
	}
	begin, stop := it.r.index.span(min(from, last), max(from, last))
	if last == end || stop-begin >= size/2 {
		it.r.hints.WillRead(begin, stop-begin)
		it.hinted = last
	}
}

// beginLong lets the file system read ahead until endLong, which the next seek and the
// end of the iterator call. Seeks of others in the table read more than they need
// meanwhile.
func (it *Iter) beginLong() {
	if !it.long {
		it.long = true
		if it.r.long.Add(1) == 1 {
			it.r.hints.ReadAhead(true)
		}
	}
}

func (it *Iter) endLong() {
	if it.long {
		it.long = false
		if it.r.long.Add(-1) == 0 {
			it.r.hints.ReadAhead(false)
		}
	}
}

// end returns the last block in a direction that may hold what the iterator is asked for.
func (it *Iter) end(backward bool) int {
	x := it.r.index
	last := x.blocks() - 1
	switch {
	case backward && it.o.Lower != nil:
		return min(x.search(it.o.Lower), last)
	case backward:
		return 0
	case it.o.Upper != nil:
		if end := x.search(it.o.Upper); end <= last && !x.alone(end) {
			return end
		} else {
			return min(end, last+1) - 1
		}
	}
	return last
}
