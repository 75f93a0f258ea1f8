package resp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"iter"
	"math"
	"sync/atomic"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands of transactions.
var multiCommands = []command{
	{"multi", 1, reads | control, 0, 0, 0, multiCommand},
	{"exec", 1, control, 0, 0, 0, execCommand},
	{"discard", 1, reads | control, 0, 0, 0, discard},
	{"watch", -2, reads | control, 1, -1, 1, watch},
	{"unwatch", 1, reads, 0, 0, 0, unwatch},
}

// multi is what a connection has of a transaction: the commands that MULTI has queued, and
// the keys that it watches. EXEC runs the commands in one transaction of the store.
type multi struct {
	open    bool
	spoiled bool // a command was refused: EXEC refuses all
	queue   []queued
	bytes   int
	watched []watchedKey
	touched atomic.Bool // a watched key was written; see Server.announce
}

type queued struct {
	cmd  *command
	args [][]byte
}

// watchedKey is a key, and what it held when it began to be watched.
type watchedKey struct {
	keyName
	keyspace *siltstone.Keyspace
	print    uint64
}

func multiCommand(c *call) error {
	if c.c.multi.open {
		return replyError("ERR MULTI calls can not be nested")
	}
	c.c.multi.open, c.c.multi.spoiled = true, false
	c.out.ok()
	return nil
}

// queue keeps a command for EXEC.
func (c *conn) queue(call *call) error {
	n := 0
	args := make([][]byte, len(call.args))
	for _, a := range call.args {
		n += len(a) + 48
	}
	if c.multi.bytes+n > c.s.opts.MaxCommandBytes || !c.grow(n) {
		c.multi.spoiled = true
		return errBuffersFull
	}
	for i, a := range call.args {
		args[i] = bytes.Clone(a)
	}
	c.multi.bytes += n
	c.multi.queue = append(c.multi.queue, queued{call.cmd, args})
	if call.cmd.name == "select" { // a keyspace is made before the transaction begins
		if _, err := call.keyspaceOf(args[1]); err != nil {
			c.multi.spoiled = true
			return err
		}
	}
	call.out.simple("QUEUED")
	return nil
}

// closeMulti forgets the queue and what is watched.
func (c *conn) closeMulti() {
	c.grow(-c.multi.bytes)
	c.multi.open, c.multi.spoiled, c.multi.queue, c.multi.bytes = false, false, nil, 0
	c.unwatch()
}

func discard(c *call) error {
	if !c.c.multi.open {
		return replyError("ERR DISCARD without MULTI")
	}
	c.c.closeMulti()
	c.out.ok()
	return nil
}

func watch(c *call) error {
	if c.c.multi.open {
		return replyError("ERR WATCH inside MULTI is not allowed")
	}
	for _, a := range c.args[1:] {
		w := watchedKey{keyName: keyName{c.spaceName(), string(a)}, keyspace: c.keyspace}
		if c.s.interest.watches(c.c, w.keyName) {
			continue
		}
		if !c.c.grow(remembered(w.key)) {
			return errBuffersFull
		}
		c.s.interest.watch(c.c, w.keyName)
		c.c.multi.watched = append(c.c.multi.watched, w)
		// From now on what this server writes is noticed. Then what the key holds:
		print, err := c.s.fingerprint(c.space, w.key)
		if err != nil {
			return err
		}
		c.c.multi.watched[len(c.c.multi.watched)-1].print = print
	}
	c.out.ok()
	return nil
}

func unwatch(c *call) error {
	c.c.unwatch()
	c.out.ok()
	return nil
}

func (c *conn) unwatch() {
	for _, w := range c.multi.watched {
		c.s.interest.unwatch(c, w.keyName)
		c.grow(-remembered(w.key))
	}
	c.multi.watched = nil
	c.multi.touched.Store(false)
}

// errTouched: a watched key was written.
var errTouched = errors.New("resp: a watched key has changed")

func execCommand(c *call) error {
	m := &c.c.multi
	switch {
	case !m.open:
		return replyError("ERR EXEC without MULTI")
	case m.spoiled:
		c.c.closeMulti()
		return errExecAbort
	}
	defer c.c.closeMulti()
	if len(m.watched) > 0 {
		c.s.writes.Lock()
		defer c.s.writes.Unlock()
	} else {
		c.s.writes.RLock()
		defer c.s.writes.RUnlock()
	}
	err := errTouched
	if !m.touched.Load() {
		err = c.runQueue(m)
	}
	if errors.Is(err, errTouched) {
		c.out.nullArray()
		return nil
	}
	if err != nil {
		return err
	}
	c.s.announce(c.changes)
	c.changes = c.changes[:0]
	return nil
}

// runQueue runs what was queued in one transaction, which sees that the watched keys hold
// what they did.
func (c *call) runQueue(m *multi) (err error) {
	mark, keyspace, space, args, cmd := len(c.out.buf), c.keyspace, c.space, c.args, c.cmd
	run := func(tx *siltstone.Tx) error {
		c.out.buf, c.changes = c.out.buf[:mark], c.changes[:0]
		c.tx, c.keyspace, c.space = tx, keyspace, tx.In(keyspace)
		for _, w := range m.watched {
			print, err := c.s.fingerprint(tx.In(w.keyspace), w.key)
			if err != nil {
				return err
			}
			if print != w.print {
				return errTouched
			}
		}
		c.out.array(len(m.queue))
		for _, q := range m.queue {
			c.cmd, c.args = q.cmd, q.args
			if err := c.attempt(q.cmd); ofAll(err) {
				return err
			} else if err != nil {
				c.out.error(errorText(err))
			}
			if err := c.fits(mark); err != nil {
				return err
			}
		}
		return nil
	}
	transaction := c.s.db.View
	for _, q := range m.queue {
		if q.cmd.flags&writes != 0 {
			transaction = c.s.db.Update
		}
	}
	err = transaction(c.s.ctx, run)
	chosen := c.keyspace
	c.tx, c.keyspace, c.space, c.args, c.cmd = nil, keyspace, space, args, cmd
	if err != nil {
		c.out.buf, c.changes = c.out.buf[:mark], c.changes[:0]
		return err
	}
	if chosen != keyspace {
		c.choose(chosen)
	}
	return nil
}

// ofAll reports whether an error is that of the whole transaction and not of one command:
// what the command wrote before is in the transaction, and must not stay without a reply.
func ofAll(err error) bool {
	return errors.Is(err, siltstone.ErrTxTooLarge) || errors.Is(err, errReplyTooLong) || errors.Is(err, errBuffersFull)
}

// fingerprint is a number that another content of the key has as good as never. If nobody
// else writes to the store, the server notices every write, and it only has to tell
// whether the key has expired.
func (s *Server) fingerprint(rw siltstone.ReadWriter, name string) (uint64, error) {
	key := rw.Key(name)
	if s.opts.SoleWriter {
		exists, err := key.Exists()
		if exists {
			return 1, err
		}
		return 0, err
	}
	kind, err := key.Type()
	if absent(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	at, err := key.Deadline()
	if err != nil && !absent(err) {
		return 0, err
	}
	p := print{}
	p.h.SetSeed(seed)
	p.h.WriteByte(byte(kind))
	p.number(uint64(at.UnixMilli()))
	err = p.content(rw, name, kind)
	return p.h.Sum64(), err
}

var seed = maphash.MakeSeed()

type print struct{ h maphash.Hash }

func (p *print) number(n uint64) {
	var room [8]byte
	binary.LittleEndian.PutUint64(room[:], n)
	_, _ = p.h.Write(room[:])
}

func (p *print) bytes(b []byte) {
	p.number(uint64(len(b)))
	_, _ = p.h.Write(b)
}

func (p *print) text(s string) {
	p.number(uint64(len(s)))
	_, _ = p.h.WriteString(s)
}

func (p *print) content(rw siltstone.ReadWriter, name string, kind typed.Type) error {
	switch kind {
	case typed.TypeHash:
		return each(rw.Hash(name).All(), func(f typed.Field) { p.text(f.Name); p.bytes(f.Value) })
	case typed.TypeSet:
		return each(rw.Set(name).All(), p.text)
	case typed.TypeZSet:
		return each(rw.ZSet(name).All(), func(m typed.Member) { p.text(m.Name); p.number(math.Float64bits(m.Score)) })
	case typed.TypeList:
		return each(rw.List(name).Range(0, -1), p.bytes)
	}
	v, err := rw.Get([]byte(name))
	p.bytes(v)
	return err
}

// each calls fn with every item of a loop.
func each[T any](loop iter.Seq2[T, error], fn func(T)) error {
	for v, err := range loop {
		if err != nil {
			return err
		}
		fn(v)
	}
	return nil
}
