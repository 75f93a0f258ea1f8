package siltstone

import (
	"io"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/feed"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/reaper"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/engine/txn"
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
	opts Options
	home
	life  *lifecycle.State
	clock *clock.Clock

	set     *manifest.Set     // the set of tables
	states  *readstate.States // the memtables and tables that reads use
	rows    *rows.Source      // shared by range reads
	section *commit.Section   // how changes come in
	work    *background.Work  // flushes and merges
	txns    *txn.Engine
	reaper  *reaper.Reaper
	spaces  keyspace.Registry

	report  report  // events and their counts
	handles handles // open iterators, snapshots and transactions
	workers workers // the goroutines
}

// home is where the files of a store are. The zero home is that of a DB which Open did not
// return.
type home struct {
	dir  storedir.Dir
	lock io.Closer  // of the directory; a *beside.Reader with Options.Beside
	past *feed.Past // the logs that readers of changes go through; nil: those of the section
}

// unopened reports whether db is one that Open did not return: every call of it is
// ErrClosed.
func (db *DB) unopened() bool { return db == nil || db.states == nil }

// Get returns a copy of the value of key, or ErrNotFound. If key holds a
// collection the error is ErrWrongType.
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
	if db.unopened() {
		return dst, ErrClosed
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return dst, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	begin := readstate.Begin(n)
	f, err := db.look(rs, ks, key, db.section.Visible(), 0, readstate.WantValue)
	db.report.gets.End(begin)
	defer f.Loan.Return()
	if err != nil {
		return dst, err
	}
	if t := record.Type(f.Attr.Type()); t != record.TypeString {
		return dst, record.WrongType(key, t, record.TypeString)
	}
	return append(dst, f.Value...), nil
}

// look finds the live record of a user key. A clock of 0 is read when a record
// needs it.
func (db *DB) look(rs *readstate.State, ks *keyspace.Space, key []byte, seq base.SeqNum, now int64, want readstate.Want) (readstate.Found, error) {
	if err := base.CheckKey(key); err != nil {
		return readstate.Found{}, err
	}
	if err := ks.ReadableAt(seq); err != nil {
		return readstate.Found{}, err
	}
	var room [128]byte
	row := keyenc.AppendKeyRow(room[:0], ks.Prefix(), key)
	f, err := rs.Look(row, base.HashRow(row), seq, want)
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

// stat finds the live record of key and returns its trailer.
func (db *DB) stat(ks *keyspace.Space, key []byte) (base.Trailer, error) {
	if db.unopened() {
		return base.Trailer{}, ErrClosed
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return base.Trailer{}, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	f, err := db.look(rs, ks, key, db.section.Visible(), 0, readstate.WantKey)
	f.Loan.Return()
	return f.Trailer, err
}

// TTL returns the time that key has to live, rounded up to milliseconds; NoTTL if
// it does not expire, ErrNotFound if it does not exist.
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
	return db.putString(nil, key, value, 0, DefaultDurability)
}

// PutDurability is Put that returns once the commit has reached the level d, instead of
// that of Options.Durability. One that does not exist is ErrBadOption.
func (db *DB) PutDurability(key, value []byte, d Durability) error {
	return db.putString(nil, key, value, 0, d)
}

// PutTTL sets key to value for the time ttl, counted from now on the store's
// clock and rounded up to milliseconds; NoTTL makes it Put. A ttl that is not
// positive is ErrBadTTL.
func (db *DB) PutTTL(key, value []byte, ttl time.Duration) error {
	return db.putTTL(nil, key, value, ttl)
}

func (db *DB) putTTL(ks *keyspace.Space, key, value []byte, ttl time.Duration) error {
	if err := base.CheckTTL(ttl); err != nil {
		return err
	}
	if db.unopened() {
		return ErrClosed
	}
	return db.putString(ks, key, value, commit.Milliseconds(ttl), DefaultDurability)
}

// putString puts a string that lives for ttl milliseconds, 0 being for ever, and waits for
// the level d.
func (db *DB) putString(ks *keyspace.Space, key, value []byte, ttl int64, d Durability) error {
	if err := d.check(); err != nil {
		return err
	}
	if err := base.CheckKey(key); err != nil {
		return err
	}
	if err := base.CheckValue(len(value)); err != nil {
		return err
	}
	c := commit.NewChange()
	defer c.Free()
	expiry := int64(0)
	if ttl != 0 {
		c.From = db.clock.Now()
		expiry = commit.ExpiryAt(c.From, ttl)
	}
	c.Put(ks, key, value, base.MakeAttr(base.KindPut, uint8(record.TypeString), expiry != 0), expiry)
	return db.commit(c, d)
}

// Delete deletes key, whatever its type. It is blind: deleting a key that does
// not exist is no error, and Delete does not say whether the key existed. Drop of
// db.Key does the same and says it; Remove of a typed handle removes elements.
func (db *DB) Delete(key []byte) error { return db.deleteKey(nil, key) }

func (db *DB) deleteKey(ks *keyspace.Space, key []byte) error {
	if err := base.CheckKey(key); err != nil {
		return err
	}
	c := commit.NewChange()
	defer c.Free()
	c.Delete(ks, key)
	return db.commit(c, DefaultDurability)
}

// Sync returns when every commit that had returned before the call is durable.
func (db *DB) Sync() error {
	switch {
	case db.unopened() || db.life.Closing():
		return ErrClosed
	case db.opts.ReadOnly:
		return nil
	}
	return db.section.Wait(db.section.Log().Appended(), commitlog.Durable)
}

// commit commits a change that read nothing, and waits until it has reached level d.
func (db *DB) commit(c *commit.Change, d Durability) error {
	if db.unopened() {
		return ErrClosed
	}
	if db.opts.ReadOnly {
		return base.ErrReadOnlyStore
	}
	return db.section.Commit(c, db.level(d))
}

// refusal returns the ErrReadOnly of calls that write, or nil if the store takes writes.
func (db *DB) refusal() error {
	switch {
	case db.opts.ReadOnly:
		return base.ErrReadOnlyStore
	case db.section.Replica():
		return base.ErrReplica
	}
	return nil
}

// takeRole makes the store a replica if it is opened as one, and no replica if not. last is
// the largest sequence that recovery has met.
func (db *DB) takeRole(last base.SeqNum) error {
	s := db.set.State()
	switch replica := db.section.Replica(); {
	case replica == (s.Branch == base.SeqMax):
	case !replica:
		db.set.SetBranch(last)
	case s.Parent == 0:
		return base.Errorf(ErrBadOption, "the store was not restored from another one, so it is no replica")
	case last > s.Branch:
		return base.Errorf(ErrBadOption, "the store has commits of its own since it was restored, so it is no replica; restore another one")
	default:
		db.set.SetBranch(base.SeqMax)
	}
	return nil
}

// level returns the log's level for a durability.
func (db *DB) level(d Durability) commitlog.Level {
	if d == DefaultDurability {
		d = db.opts.Durability
	}
	switch d {
	case OSDurability:
		return commitlog.Written
	case BufferedDurability:
		return commitlog.Gathered
	}
	return commitlog.Durable
}

// Options returns the options in effect: every default filled in.
func (db *DB) Options() Options {
	if db == nil {
		return Options{}
	}
	return db.opts
}
