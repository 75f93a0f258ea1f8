package siltstone

import (
	"time"

	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/memtable"
)

// memtable   mutable ──rotate──► immutable ──flush──► table
// log        active  ──rotate──► sealed    ──its records are in tables──► removed

// rotate replaces the full memtable and its log by new ones. full is what the
// caller saw: if somebody else was quicker there is nothing to do. It waits
// while too many memtables are unflushed.
func (db *DB) rotate(full *readstate.Mem) error {
	w := &db.workers
	w.rotating.Lock()
	defer w.rotating.Unlock()
	if db.currentMem() != full {
		return nil
	}
	if err := db.awaitFlushes(); err != nil {
		return err
	}
	if err := db.prepareLogs(1, 0); err != nil {
		return err
	}
	empty := db.emptyMemtable(full)
	db.section.Lock()
	if db.section.mem == full && !db.section.closed {
		db.rotateLocked(empty)
	}
	db.section.Unlock()
	db.wakeFlush()
	return nil
}

// rotateLocked does it, inside the commit section, with a log on the shelf.
func (db *DB) rotateLocked(empty *memtable.Table) {
	old := db.section.mem
	seg := db.logs.take(0)
	db.seal(old)
	db.log.Rotate(seg)
	fresh := &readstate.Mem{Table: empty, Log: seg.Number, Begin: old.End, Usual: true}
	db.section.mem = fresh
	db.states.Publish(func(rs *readstate.State) {
		rs.Imms = append([]*readstate.Mem{old}, rs.Imms...)
		rs.Mem = fresh
	})
}

// seal notes, inside the commit section, that mem gets no more records.
func (db *DB) seal(mem *readstate.Mem) {
	mem.End = db.log.Appended()
	mem.Reserved = mem.Bytes()
	db.blocks.Reserve(mem.Reserved)
}

// reserveSteps is in how many steps the mutable memtable's room is reserved.
const reserveSteps = 8

// reserve takes from the memory budget, inside the commit section, what the mutable
// memtable holds and a step more, up to MemtableBytes: until a store is written to,
// the cache has that room. What was taken stays for the memtables that follow,
// which fill memory that is there already. Full ones are reserved for as they are.
func (db *DB) reserve() {
	want, step := db.section.mem.Bytes(), db.opts.MemtableBytes/reserveSteps
	for db.section.reserved < min(want+step, db.opts.MemtableBytes) {
		step := max(1, min(step, db.opts.MemtableBytes-db.section.reserved))
		db.section.reserved += step
		db.blocks.Reserve(step)
	}
}

func (db *DB) currentMem() *readstate.Mem {
	db.section.Lock()
	defer db.section.Unlock()
	return db.section.mem
}

// awaitFlushes waits while as many memtables as may be are waiting to be
// flushed.
func (db *DB) awaitFlushes() error {
	if db.opts.manualWork {
		for db.unflushed() >= maxUnflushed {
			if _, err := db.flushStep(); err != nil {
				return err
			}
		}
		return nil
	}
	w := &db.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	var begin time.Time
	for db.unflushed() >= maxUnflushed && !db.life.Poisoned() && !w.stopping && w.flushErr == nil {
		if begin.IsZero() {
			begin = time.Now()
			w.mu.Unlock()
			db.emit(StallBegin{Reason: "memtables wait to be flushed"})
			w.mu.Lock()
			continue
		}
		w.flushed.Wait()
	}
	if !begin.IsZero() {
		w.mu.Unlock()
		db.emit(StallEnd{Duration: time.Since(begin)})
		w.mu.Lock()
	}
	switch {
	case db.life.Poisoned():
		return db.life.PoisonErr()
	case w.stopping:
		return ErrClosed
	case db.unflushed() >= maxUnflushed:
		return db.refuse(w.flushErr)
	}
	return nil
}

// maxUnflushed is how many full memtables may wait for the flusher.
const maxUnflushed = 2

func (db *DB) unflushed() int {
	if rs := db.states.Current.Load(); rs != nil {
		return len(rs.Imms)
	}
	return 0
}
