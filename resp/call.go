package resp

import (
	"bytes"
	"errors"
	"iter"
	"math"

	"github.com/siltstonedb/siltstone"
)

// call is the command that a connection runs: what a command works with.
type call struct {
	c    *conn
	s    *Server
	cmd  *command
	args [][]byte // the name first; valid until the command ends
	out  reply

	keyspace *siltstone.Keyspace  // that SELECT chose; nil: the default one
	space    siltstone.ReadWriter // the store, the keyspace, or the transaction
	tx       *siltstone.Tx        // of EXEC, or of update

	changes []change // keys that were written
	waits   *waiter  // set by a command that has to wait
	ready   string   // the key that ended the wait, if it has
	members []string // room for arguments as strings
}

func (c *call) name() string {
	if c.cmd == nil {
		return ""
	}
	return c.cmd.name
}

// key returns argument i as the name of a key.
func (c *call) key(i int) string { return string(c.args[i]) }

// strings returns the arguments from one to before another as strings, in a list that is
// used again by the next call.
func (c *call) strings(from, to int) []string {
	c.members = c.members[:0]
	for _, a := range c.args[from:to] {
		c.members = append(c.members, string(a))
	}
	return c.members
}

func (c *call) int(i int) (int64, error) {
	n, ok := parseInt(c.args[i])
	if !ok {
		return 0, errNotInt
	}
	return n, nil
}

func (c *call) float(i int) (float64, error) {
	f, ok := parseFloat(c.args[i])
	if !ok {
		return 0, errNotFloat
	}
	return f, nil
}

// count returns argument i as a number of things to return, which is not negative.
func (c *call) count(i int) (int, error) {
	n, ok := parseInt(c.args[i])
	if !ok || n < 0 {
		return 0, errPositive
	}
	return int(min(n, math.MaxInt32)), nil
}

// changed notes that the key was written. Whoever does not write in a transaction calls it
// after the commit.
func (c *call) changed(key []byte, class byte, event string) {
	if c.tx == nil && c.s.interest.count.Load() == 0 && c.s.config.events.Load() == 0 {
		return
	}
	c.changes = append(c.changes, change{c.spaceName(), key, class, event})
}

func (c *call) spaceName() string {
	if c.keyspace == nil {
		return ""
	}
	return c.keyspace.Name()
}

// keep copies the arguments, for a command that outlives the buffer they lie in.
func (c *call) keep() {
	args := make([][]byte, len(c.args))
	for i, a := range c.args {
		args[i] = bytes.Clone(a)
	}
	c.args = args
}

// update runs fn in a transaction: that of EXEC, or one of its own. fn may run several
// times; what it replied before, and what it noted as changed, is dropped.
func (c *call) update(fn func(siltstone.ReadWriter) error) error {
	if c.tx != nil {
		return fn(c.space)
	}
	mark, before := len(c.out.buf), len(c.changes)
	defer func() { c.tx = nil }()
	err := c.s.db.Update(c.s.ctx, func(tx *siltstone.Tx) error {
		c.out.buf, c.changes, c.tx = c.out.buf[:mark], c.changes[:before], tx
		return fn(tx.In(c.keyspace))
	})
	if err != nil {
		c.changes = c.changes[:before]
	}
	return err
}

// view runs fn over one state: that of the transaction of EXEC, or the present.
func (c *call) view(fn func(siltstone.ReadWriter) error) error {
	if c.tx != nil {
		return fn(c.space)
	}
	return c.s.db.View(c.s.ctx, func(tx *siltstone.Tx) error { return fn(tx.In(c.keyspace)) })
}

// fits reports whether the reply that began at mark may become longer.
func (c *call) fits(mark int) error {
	if len(c.out.buf) < keptBuffer {
		return nil
	}
	if len(c.out.buf)-mark > c.s.opts.MaxCommandBytes {
		return errReplyTooLong
	}
	if n := cap(c.out.buf) - c.c.heldOut; n > 0 {
		if !c.c.grow(n) {
			return errBuffersFull
		}
		c.c.heldOut += n
	}
	return nil
}

// all replies with the items of a loop, which write shows.
func all[T any](c *call, kind byte, loop iter.Seq2[T, error], write func(T)) error {
	mark := c.out.open()
	n := 0
	var err error
	for v, lerr := range loop {
		if lerr != nil {
			return lerr
		}
		write(v)
		n++
		if err = c.fits(mark); err != nil {
			return err
		}
	}
	c.out.fix(mark, kind, n)
	return nil
}

// orNull replies with nil if what was asked for is not there.
func (c *call) orNull(b []byte, err error) error {
	switch {
	case err == nil:
		c.out.bulk(b)
	case absent(err):
		c.out.null()
	default:
		return err
	}
	return nil
}

// number replies with an integer, 0 for what is missing.
func (c *call) number(n int64, err error) error {
	if err == nil || errors.Is(err, siltstone.ErrNotFound) {
		c.out.int(n)
		return nil
	}
	return err
}
