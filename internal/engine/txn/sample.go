package txn

import (
	"math/rand/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
)

// sampler adapts a rows.Sample to collection.Cursor.
//
// A transaction rests on the rows that it has shown, by points, and not on the places
// that it has drawn beside them. Its commit says that those rows are still as they
// were. So at the place in the order of all transactions where it stands they were
// rows of the range, and to draw them was possible there: a draw promises no more
// than that each of its results is one. Which other rows there are it does not tell.
// Who draws several and says how many there are has read the count for that.
type sampler struct {
	t     *Txn
	s     rows.Sample
	want  readstate.Want
	tries uint64 // for one row
	err   error

	lo, hi []byte
	bounds [64]byte
}

// A place costs some ten times what a row of a walk does, and the read of a block if
// that is not in memory. So a row is given up after as many places in a row without one
// as are worth a walk of all, but for a few, and after mostTries of them in any case:
// then hardly one place in a thousand has a row.
const (
	placesATry = 16
	fewTries   = 16
	mostTries  = 1024
)

// Sample implements collection.Txn.
func (t *Txn) Sample(lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	if t.err != nil {
		return nil, t.err
	}
	return t.sample(t.View(), lo, hi, o)
}

// Sample implements collection.Txn.
func (f *frozen) Sample(lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.sample(f.view, lo, hi, o)
}

func (t *Txn) sample(v rows.View, lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	c := &sampler{t: t}
	if o.KeysOnly {
		c.want = readstate.WantKey
	}
	b := append(append(c.bounds[:0], lo...), hi...)
	c.lo, c.hi = b[:len(lo):len(lo)], b[len(lo):]
	if err := c.s.Init(v, c.lo, c.hi); err != nil {
		return nil, t.fail(t.engine.states.ReadError(err))
	}
	if t.draws == nil { // places are the same in no other store: a walk is
		c.tries = fewTries + min(c.s.Places()/placesATry, mostTries)
	}
	return c, nil
}

func (c *sampler) Next() bool {
	c.s.Found.Loan.Return()
	for try := uint64(0); c.err == nil && try < c.tries && c.s.Places() > 0; try++ {
		if c.err = c.t.err; c.err != nil {
			break
		}
		ok, err := c.s.At(rand.Uint64N(c.s.Places()), c.want)
		if err != nil {
			c.err = c.t.fail(c.t.engine.states.ReadError(err))
		}
		if ok {
			c.note()
			return true
		}
	}
	return false
}

// note has the transaction rest on the row.
func (c *sampler) note() {
	if t := c.t; t.writes && !c.s.Mine {
		t.reads.AddPoint(base.HashRow(c.s.Key), c.s.Key)
		t.reads.AddExpiry(c.s.Key, c.s.Found.Expiry)
	}
}

func (c *sampler) Key() []byte           { return c.s.Key }
func (c *sampler) Trailer() base.Trailer { return c.s.Found.Trailer }
func (c *sampler) Err() error            { return c.err }

// Value implements collection.Cursor. What is in memory comes with its value whether it
// was asked for or not.
func (c *sampler) Value() []byte {
	if c.want == readstate.WantKey {
		return nil
	}
	return c.s.Found.Value
}

// Head implements collection.Cursor. It adds no read: the row is one that was read.
func (c *sampler) Head(dst []byte, n int) ([]byte, error) {
	return c.t.head(&c.s.View, c.s.Key, dst, n)
}

func (c *sampler) Close() error {
	c.s.Found.Loan.Return()
	c.tries = 0
	return c.err
}
