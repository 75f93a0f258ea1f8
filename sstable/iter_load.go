package sstable

// seek makes block number the iterator's, as a first access that may go
// anywhere; false if there is no such block or it cannot be read.
func (it *Iter) seek(number int) bool {
	it.begin(number)
	return it.load(number, true, false)
}

// begin begins a walk in block number.
func (it *Iter) begin(number int) {
	it.err, it.aimed = nil, 0
	it.ahead, it.walked, it.hinted, it.goesOn = 0, 0, number, false
	it.endLong()
}

// enterTable makes block number, the table's first or last, the iterator's: a walk's
// first, or the next of a walk that goes on from another table.
func (it *Iter) enterTable(number int, backward bool) bool {
	goesOn, ahead, walked := it.goesOn, it.ahead, it.walked
	it.begin(number)
	if goesOn {
		it.ahead, it.walked = ahead, walked
	}
	return it.load(number, !goesOn, backward)
}

// step makes block number, a neighbour of the iterator's, the iterator's.
func (it *Iter) step(number int, backward bool) bool { return it.load(number, false, backward) }

// further makes what is read at once from here twice as much as before, as long as the
// cache lends the memory.
func (it *Iter) further() {
	want := min(max(2*it.ahead, firstAhead), maxAhead)
	if it.o.Cold || it.r.o.Cache == nil {
		it.ahead = want
		return
	}
	if more := want - it.lent; more > 0 {
		if !it.r.o.Cache.Lend(int64(more)) {
			it.ahead = it.lent
			return
		}
		it.lent += more
	}
	it.ahead = want
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
	if b, leased := it.cached(number, seek && !it.o.Cold); b != nil {
		it.leave()
		it.block, it.leased = b, leased
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
	held := it.window.holds(offset, length)
	if !seek && !held {
		it.further()
	}
	if it.o.Cold || r.o.Cache == nil || !r.o.Cache.Admits(&r.slots[number], length, seek) {
		return it.loadOwn(number, backward)
	}
	// A large value lasts, so that a walk backwards need not copy it.
	o := fetchOptions{hot: seek, lease: length <= maxAhead, keysOnly: it.o.KeysOnly}
	// A block of more than half the window would be alone there, and copied for
	// nothing: it is read to where it stays.
	if held || 2*length <= int64(it.ahead) {
		sealed, err := it.readAhead(number, backward)
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
// needs, and whether it is leased.
func (it *Iter) cached(number int, mark bool) (b *block, leased bool) {
	if len(it.r.slots) == 0 {
		return nil, false
	}
	e, leased := it.r.slots[number].Borrow(mark)
	if e == nil {
		return nil, false
	}
	b = blockOf(e)
	if b.values == nil && !it.o.KeysOnly {
		if leased {
			e.EndLease()
		}
		return nil, false
	}
	if it.o.Cold {
		return b, leased
	}
	if it.hits++; it.hits == walkSample {
		it.r.o.Cache.CountHits(walkSample)
		it.hits = 0
	}
	return b, leased
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

// readAhead returns the bytes of block number through the window, and reads as much as
// the walk is worth if that does not hold them.
func (it *Iter) readAhead(number int, backward bool) ([]byte, error) {
	to, size := number, int64(it.ahead)
	if it.o.Cold {
		size = coldAhead
	}
	if it.window.holds(it.r.index.handle(number)) {
		return it.window.block(it.r, number, number)
	}
	to = it.stretch(number, backward, size)
	sealed, err := it.window.block(it.r, number, to)
	if err == nil {
		it.walked += int64(len(it.window.buf))
		it.hint(to, backward)
	}
	return sealed, err
}

// loadOwn reads block number into the iterator's own memory.
func (it *Iter) loadOwn(number int, backward bool) bool {
	r := it.r
	it.leave() // what it pointed at is overwritten
	sealed, err := it.readAhead(number, backward)
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
