package siltstone

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// DB is an ordered, persistent key-value store. All methods are safe for
// concurrent use. Open makes one; Close ends it.
type DB struct {
	// section is the commit section: nothing in it waits. Everything a commit
	// changes is guarded by it.
	section struct {
		sync.Mutex
		mem      *readstate.Mem
		reserved int64 // of the memory budget, for the mutable memtable: see reserve
		lastSeq  base.SeqNum
		closed   bool
	}
	visible atomic.Uint64 // largest sequence readers may see
	log     *commitlog.Log

	states  readstate.States
	points  readstate.Points
	clock   *clock.Clock
	tables  *readstate.Tables
	blocks  *cache.Cache
	rows    *rows.Source
	set     *manifest.Set
	logs    logShelf
	spare   spare
	disk    diskUse
	writers compaction.Writers
	workers workers
	holders holders
	life    *lifecycle.State
	gate    gate
	locks   keyLocks

	spaces keyspace.Registry

	events sync.Mutex // one event at a time
	tally  tally

	// constant after Open
	dir  storedir.Dir
	opts Options
	lock interface{ Close() error }
}

// Get returns the value of key, a copy that is the caller's, or ErrNotFound.
// A key that holds a collection is ErrWrongType.
func (db *DB) Get(key []byte) ([]byte, error) {
	return db.appendGet(nil, nil, key)
}

// AppendGet appends the value of key to dst and returns the result; on an error
// it returns dst as it was. Given room in dst it does not allocate.
func (db *DB) AppendGet(dst, key []byte) ([]byte, error) {
	return db.appendGet(nil, dst, key)
}

// appendGet is AppendGet in a keyspace; nil is the default one.
func (db *DB) appendGet(ks *keyspace.Space, dst, key []byte) ([]byte, error) {
	rs, n := db.states.Pin()
	if rs == nil {
		return dst, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	f, err := db.look(rs, ks, key, base.SeqNum(db.visible.Load()), 0)
	defer f.Loan.Return()
	if err != nil {
		return dst, err
	}
	if t := record.Type(f.Attr.Type()); t != record.TypeString {
		return dst, ErrWrongType
	}
	return append(dst, f.Value...), nil
}

// look finds the live record of a user key. A clock of 0 is read when a record
// needs it.
func (db *DB) look(rs *readstate.State, ks *keyspace.Space, key []byte, seq base.SeqNum, now int64) (readstate.Found, error) {
	if err := base.CheckKey(key); err != nil {
		return readstate.Found{}, err
	}
	if err := ks.ReadableAt(seq); err != nil {
		return readstate.Found{}, err
	}
	var room [128]byte
	row := keyenc.AppendKeyRow(room[:0], ks.Prefix(), key)
	f, err := rs.Get(row, base.HashRow(row), seq)
	if err != nil {
		return f, db.states.ReadError(err)
	}
	if f.OK && f.Expiry != 0 {
		if now == 0 {
			now = db.clock.Now()
		}
		f.OK = !f.Expired(now)
	}
	if !f.OK {
		return f, ErrNotFound
	}
	return f, nil
}

// Has reports whether key exists, whatever its type. It reads no value.
func (db *DB) Has(key []byte) (bool, error) { return db.has(nil, key) }

func (db *DB) has(ks *keyspace.Space, key []byte) (bool, error) {
	_, err := db.stat(ks, key)
	if err == ErrNotFound {
		return false, nil
	}
	return err == nil, err
}

// stat finds the live record of key, for callers who need only its trailer.
func (db *DB) stat(ks *keyspace.Space, key []byte) (base.Trailer, error) {
	rs, n := db.states.Pin()
	if rs == nil {
		return base.Trailer{}, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	f, err := db.look(rs, ks, key, base.SeqNum(db.visible.Load()), 0)
	f.Loan.Return()
	return f.Trailer, err
}

// TTL returns how long key has to live, rounded up to milliseconds; NoTTL if it
// does not expire, ErrNotFound if it does not exist.
func (db *DB) TTL(key []byte) (time.Duration, error) { return db.ttl(nil, key) }

func (db *DB) ttl(ks *keyspace.Space, key []byte) (time.Duration, error) {
	t, err := db.stat(ks, key)
	if err != nil {
		return 0, err
	}
	return timeToLive(t, db.clock.Now()), nil
}

// timeToLive returns the time a live record has left at now.
func timeToLive(t base.Trailer, now int64) time.Duration {
	if t.Expiry == 0 {
		return NoTTL
	}
	ms := t.Expiry - now
	if ms > int64(NoTTL/time.Millisecond) {
		return NoTTL - 1
	}
	return time.Duration(max(ms, 1)) * time.Millisecond
}

// Put sets key to value. It overwrites a value of any type, a collection too,
// and clears a time to live. It is blind: it reads nothing and never conflicts.
func (db *DB) Put(key, value []byte) error {
	return db.putString(nil, key, value, 0)
}

// PutTTL sets key to value for the time ttl, counted from now on the store's
// clock and rounded up to milliseconds. A ttl that is not positive is ErrBadTTL.
func (db *DB) PutTTL(key, value []byte, ttl time.Duration) error {
	return db.putTTL(nil, key, value, ttl)
}

func (db *DB) putTTL(ks *keyspace.Space, key, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return ErrBadTTL
	}
	return db.putString(ks, key, value, expiryAt(db.clock.Now(), ttlMillis(ttl)))
}

func (db *DB) putString(ks *keyspace.Space, key, value []byte, expiry int64) error {
	if err := base.CheckKey(key); err != nil {
		return err
	}
	if len(value) > MaxValueLen {
		return ErrValueTooLarge
	}
	c := newChange()
	defer c.free()
	a := base.MakeAttr(base.KindPut, uint8(record.TypeString), expiry != 0)
	if err := c.put(ks, key, value, a, expiry); err != nil {
		return err
	}
	return db.commit(c, Default)
}

// Delete deletes key, whatever its type. It is blind: deleting what does not
// exist is fine, and it does not tell whether it did.
func (db *DB) Delete(key []byte) error { return db.deleteKey(nil, key) }

func (db *DB) deleteKey(ks *keyspace.Space, key []byte) error {
	if err := base.CheckKey(key); err != nil {
		return err
	}
	c := newChange()
	defer c.free()
	if err := c.delete(ks, key); err != nil {
		return err
	}
	return db.commit(c, Default)
}

// DeleteRange deletes every key of r at once, at a cost that does not depend on
// how many there are. Collections in the range go with their elements.
func (db *DB) DeleteRange(r Range) error {
	var b Batch
	b.DeleteRange(r)
	return db.Apply(&b, Default)
}

// Apply makes the changes of b visible and durable together, at level d. An
// empty batch waits until all earlier commits have reached the level. A
// batch that Err tells a mistake of is refused with it, and one that touches a
// dropped keyspace with ErrDropped; then nothing is changed. A batch is applied
// whole, whichever keyspace b addresses.
func (db *DB) Apply(b *Batch, d Durability) error {
	b = b.whole()
	if err := b.Err(); err != nil {
		return err
	}
	if b.db != nil && b.db != db {
		return errForeign
	}
	c := newChange()
	defer c.free()
	var now int64
	if b.relative {
		now = db.clock.Now()
	}
	if err := c.fill(b, now); err != nil {
		return err
	}
	return db.commit(c, d)
}

// Expire sets the time to live of key, of any type; ErrNotFound if it does not
// exist. A ttl that is not positive deletes the key. The value is written
// again.
func (db *DB) Expire(key []byte, ttl time.Duration) error {
	return db.Key(string(key)).Expire(ttl)
}

// Persist takes the time to live from key, of any type; ErrNotFound if it does
// not exist. The value is written again.
func (db *DB) Persist(key []byte) error {
	return db.Key(string(key)).ExpireAt(time.Time{})
}

// Sync returns when every commit that had returned before is durable.
func (db *DB) Sync() error {
	switch {
	case db.life.Closing():
		return ErrClosed
	case db.opts.ReadOnly:
		return nil
	}
	return db.waitFor(db.log.Appended(), Sync)
}

// Options returns the options in effect: every default filled in.
func (db *DB) Options() Options { return db.opts }
