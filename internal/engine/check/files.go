package check

import (
	"errors"
	"io"
	"io/fs"
	"reflect"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/wal"
)

// directory looks for the manifest's tables, and for those it never gave
// a number.
func (c *checker) directory() error {
	files, err := c.Dir.List()
	if err != nil {
		return err
	}
	limit := c.Set.State().FileLimit // read after the listing: it only rises
	var errs []error
	for _, n := range files.Tables {
		if n >= limit && !c.Set.Following() { // who follows may be linking those of the next state
			errs = append(errs, base.Corruptf(base.Filename(base.FileTable, n), -1, "number was never reserved"))
		}
	}
	for _, t := range c.View.State.Version.AllTables() {
		if _, there := slices.BinarySearch(files.Tables, t.Num); !there {
			errs = append(errs, base.Corruptf(base.Filename(base.FileTable, t.Num), -1, "table is missing"))
		}
	}
	return errors.Join(errs...)
}

// version checks that the manifest's version is a possible one.
func (c *checker) version() error {
	v := c.View.State.Version
	if err := v.Check(); err != nil {
		manifestName, _ := c.Set.LogName()
		return base.Corruptf(manifestName, -1, "%w", err)
	}
	for _, t := range v.AllTables() {
		if t.MaxSeq > c.State.LastSeq {
			return base.Corruptf(base.Filename(base.FileTable, t.Num), -1, "sequences up to %d, the manifest ends at %d", t.MaxSeq, c.State.LastSeq)
		}
	}
	return nil
}

// tables verifies each table file, and compares it with the manifest.
func (c *checker) tables() error {
	var errs []error
	for i := range c.View.State.Runs {
		for _, t := range c.View.State.Runs[i].Tables {
			r, err := t.Get()
			if err == nil {
				err = r.Verify(func(int) error { return c.ctx.Err() })
			}
			if err == nil && !reflect.DeepEqual(r.Properties(), t.TableProperties) {
				err = base.Corruptf(base.Filename(base.FileTable, t.Num), -1, "the manifest says other counts, bounds or sequences of it")
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// logs reads the logs whose records are in no table, newest first: a header is
// written when the log before it is complete, so that one must be, when it is
// read afterwards. Logs without a header are still gathering in memory.
func (c *checker) logs() error {
	var errs []error
	followed := false
	for _, n := range slices.Backward(c.Logs()) {
		if c.ctx.Err() != nil {
			break
		}
		header, err := c.log(n, followed)
		if !followed && errors.Is(err, base.ErrCorruption) {
			err = c.again(n, err)
		}
		followed = followed || header
		if err != nil && !slices.Contains(c.Logs(), n) {
			err = nil // retired meanwhile, and perhaps removed
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// again reads the log in use once more after a fault: bytes that were read first may
// have been older than those that were read behind them. Damage stays where it is.
func (c *checker) again(n base.FileNum, err error) error {
	var first, second *base.CorruptionError
	if _, again := c.log(n, false); errors.As(err, &first) && errors.As(again, &second) && first.Offset == second.Offset {
		return again
	}
	return nil
}

// log reads one log and reports whether it has a header. Unless another follows
// it may end in a frame that is being written.
func (c *checker) log(n base.FileNum, followed bool) (header bool, err error) {
	name := base.Filename(base.FileLog, n)
	f, err := c.Dir.FS.Open(c.Dir.Join(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, base.Corruptf(name, -1, "log is missing")
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return false, err
	}
	r, err := wal.Open(f, st.Size(), name)
	header = err == nil
	for err == nil {
		if err = c.ctx.Err(); err == nil {
			_, _, err = r.Next()
		}
	}
	switch {
	case errors.Is(err, wal.ErrNoHeader) && followed:
		return header, base.Corruptf(name, 0, "log has no header, and another follows it")
	case header && followed && !r.Complete() && (errors.Is(err, wal.ErrTorn) || errors.Is(err, io.EOF)):
		return header, base.Corruptf(name, r.End(), "log ends here, and another follows it")
	case errors.Is(err, wal.ErrNoHeader), errors.Is(err, wal.ErrTorn), errors.Is(err, io.EOF):
		return header, nil
	}
	return header, err
}
