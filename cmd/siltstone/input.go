package main

import (
	"context"
	"fmt"
	"io"
	"os"
)

// input opens the file that the argument names, or standard input, and returns how many
// bytes it has, 0 if that is not known.
func (t *tool) input(args []string) (io.ReadCloser, int64, error) {
	if len(args) == 0 || args[0] == "-" {
		return interruptible(t.out.ctx, func() (io.ReadCloser, error) { return io.NopCloser(t.in), nil }), 0, nil
	}
	open := func() (io.ReadCloser, error) { return os.Open(args[0]) }
	info, err := os.Stat(args[0])
	if err != nil {
		return nil, 0, codeError{exitError, err}
	}
	switch {
	case info.IsDir():
		return nil, 0, fmt.Errorf("%s is a directory", args[0])
	case !info.Mode().IsRegular():
		return interruptible(t.out.ctx, open), 0, nil
	}
	f, err := open()
	if err != nil {
		return nil, 0, codeError{exitError, err}
	}
	return f, info.Size(), nil
}

// interruptible returns a reader of what open opens, which may wait for somebody who writes,
// as a read may. Once ctx has ended a read waits no more: it is the error of that.
func interruptible(ctx context.Context, open func() (io.ReadCloser, error)) io.ReadCloser {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	go func() {
		in, err := open()
		if err == nil {
			_, err = io.Copy(w, in)
			in.Close() // it was only read
		}
		w.CloseWithError(err)
	}()
	return r
}

// countingReader adds what is read to a progress report.
type countingReader struct {
	r io.Reader
	p *progress
}

func (c countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.p.Add(n)
	return n, err
}
