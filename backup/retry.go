package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// attempts is how often a call of the store is made before it has failed. A timeout, or
// a connection that broke, is mostly over the next time.
const attempts = 5

// patient is a store whose calls are made again if they fail. The wait before that is a
// tenth of a second at first and doubles.
type patient struct {
	Store
	sleep func(context.Context, time.Duration) error
}

func (p patient) again(ctx context.Context, what, name string, call func() error) error {
	wait := 100 * time.Millisecond
	for n := 1; ; n++ {
		err := call()
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if n == attempts {
			return fmt.Errorf("backup: %s %s: %d attempts: %w", what, name, attempts, err)
		}
		if err := p.sleep(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
}

func (p patient) List(ctx context.Context, prefix string) (all []Object, err error) {
	err = p.again(ctx, "list", prefix, func() error {
		all, err = p.Store.List(ctx, prefix)
		return err
	})
	return all, err
}

func (p patient) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	return p.again(ctx, "put", name, func() error {
		if _, err := content.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return p.Store.Put(ctx, name, content)
	})
}

func (p patient) Delete(ctx context.Context, name string) error {
	return p.again(ctx, "delete", name, func() error { return p.Store.Delete(ctx, name) })
}

// copy writes an object to w. Where reading breaks off it is read again and goes on
// there. An error of w ends it.
func (p patient) copy(ctx context.Context, w io.Writer, name string) error {
	done := int64(0)
	var failed error // of w
	err := p.again(ctx, "get", name, func() error {
		r, err := p.Get(ctx, name)
		if err != nil {
			return err
		}
		defer r.Close() // it was only read
		if _, err := io.CopyN(io.Discard, r, done); err != nil {
			return err
		}
		out := counting{w, &done, &failed}
		_, err = io.Copy(out, contextReader{ctx, r})
		if failed != nil {
			return nil
		}
		return err
	})
	return errors.Join(err, failed)
}

// counting counts what is written, and keeps the error.
type counting struct {
	w      io.Writer
	done   *int64
	failed *error
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	*c.done += int64(n)
	*c.failed = err
	return n, err
}

// read returns a small object.
func (p patient) read(ctx context.Context, name string) ([]byte, error) {
	var b bytes.Buffer
	err := p.copy(ctx, &b, name)
	return b.Bytes(), err
}

// sleep waits for d, or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
