package backup

import (
	"context"
	"fmt"
	"io"

	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/internal/base"
)

// chain is backups, one behind the other, each since the one before it. It knows where
// the tables of the last one are. It belongs to one goroutine.
type chain struct {
	ctx   context.Context
	whole bool                           // the first one is whole by itself
	last  archive.Summary                // of the last one; zero: there was none
	have  map[archive.Table]base.FileNum // tables of the last one, and what keep has called them
	state []byte                         // of the last one

	// keep takes the bytes of a table, and returns what it calls it.
	keep func(r io.Reader) (base.FileNum, error)
	// forget is told of a table that the last backup does not have.
	forget func(base.FileNum) error
}

// add reads a stream to its end. With partial set the first one may be an addition to a
// backup that is not there.
func (c *chain) add(r io.Reader, partial bool) error {
	a, err := archive.NewReader(r)
	if err != nil {
		return err
	}
	h := a.Header()
	if err := c.follows(h, partial); err != nil {
		return err
	}
	for {
		_, err := a.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := c.table(a); err != nil {
			return err
		}
	}
	c.whole = c.whole || h.Since == 0
	c.last, c.state = a.Summary(), a.State()
	return c.settle()
}

// follows reports whether a stream with the header h may come next.
func (c *chain) follows(h archive.Header, partial bool) error {
	before := c.last.Mark
	switch {
	case before.Backup == 0 && h.Since != 0 && !partial:
		return base.Errorf(base.ErrBadOption, "backup %016x adds to backup %016x, which has to come before it", h.Backup, h.Since)
	case before.Backup == 0:
		return nil
	case h.Since == 0:
		return base.Errorf(base.ErrBadOption, "backup %016x is whole by itself: it has to come first", h.Backup)
	case h.Since != before.Backup || h.Store != before.Store:
		return base.Errorf(base.ErrBadOption, "backup %016x of store %016x adds to backup %016x, and not to %016x of store %016x, which comes before it",
			h.Backup, h.Store, h.Since, before.Backup, before.Store)
	}
	return nil
}

// table keeps the table that a has come to, unless an earlier backup had it.
func (c *chain) table(a *archive.Reader) error {
	num, err := c.keep(a)
	if err != nil {
		return err
	}
	if _, twice := c.have[a.Table()]; twice {
		return c.forget(num)
	}
	c.have[a.Table()] = num
	return nil
}

// settle forgets what the last backup does not have. All that it has must be there.
func (c *chain) settle() error {
	if c.whole {
		for _, t := range c.last.Mark.Tables {
			if _, ok := c.have[t]; !ok {
				return fmt.Errorf("%w: backup %016x: table %016x of it is in none of the streams", base.ErrCorruption, c.last.Mark.Backup, t.ID)
			}
		}
	}
	for t, num := range c.have {
		if c.last.Mark.Has(t) {
			continue
		}
		if err := c.forget(num); err != nil {
			return err
		}
		delete(c.have, t)
	}
	return nil
}

// copyTable copies the bytes of a table.
func copyTable(ctx context.Context, dst io.Writer, src io.Reader, buf []byte) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := src.Read(buf)
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Verify reads streams to their ends and says what the last one holds. It writes nothing.
// The first may be an addition to a backup that is not there.
func Verify(ctx context.Context, streams []io.Reader) (archive.Summary, error) {
	buf := make([]byte, pieceBytes)
	c := &chain{
		ctx: ctx, have: map[archive.Table]base.FileNum{},
		keep:   func(r io.Reader) (base.FileNum, error) { return 0, copyTable(ctx, io.Discard, r, buf) },
		forget: func(base.FileNum) error { return nil },
	}
	return c.all(streams, true)
}

// all adds all streams and returns the summary of the last one, with the bytes and tables
// of all.
func (c *chain) all(streams []io.Reader, partial bool) (archive.Summary, error) {
	var sum archive.Summary
	for i, r := range streams {
		if err := c.add(r, partial); err != nil {
			if len(streams) > 1 {
				err = base.In(err, "backup %d of %d", i+1, len(streams))
			}
			return archive.Summary{}, err
		}
		tables, bytes, since := sum.Tables+c.last.Tables, sum.Bytes+c.last.Bytes, sum.Since
		if i == 0 {
			since = c.last.Since
		}
		sum = c.last
		sum.Tables, sum.Bytes, sum.Since = tables, bytes, since
	}
	return sum, nil
}
