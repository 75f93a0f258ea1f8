package vfstest

import (
	"errors"
	"io"
	"io/fs"

	"github.com/siltstonedb/siltstone/vfs"
)

// faultsFile is a file opened through a Faults.
type faultsFile struct {
	f     *Faults
	inner vfs.File
	name  string
	pos   int64 // where the next Write goes, for Op.Off
}

// zeroingFile is one whose inner file is a vfs.Zeroer.
type zeroingFile struct {
	*faultsFile
	zeroer vfs.Zeroer
}

func (o *zeroingFile) Zero(from, to int64) error {
	op := Op{Kind: Zero, Name: o.name, Off: from, Len: int(to - from)}
	return o.f.run(op, func() error { return o.zeroer.Zero(from, to) })
}

// ReadAhead implements vfs.Hinter. Hints cannot fail, so that they are no calls.
func (o *faultsFile) ReadAhead(may bool) {
	if h, ok := o.inner.(vfs.Hinter); ok {
		h.ReadAhead(may)
	}
}

// WillRead implements vfs.Hinter.
func (o *faultsFile) WillRead(off, n int64) {
	if h, ok := o.inner.(vfs.Hinter); ok {
		h.WillRead(off, n)
	}
}

func (o *faultsFile) Close() error {
	o.f.untrack(o)
	return o.f.close(o.name, o.inner)
}

func (o *faultsFile) ReadAt(p []byte, off int64) (int, error) {
	op := Op{Kind: Read, Name: o.name, Off: off, Len: len(p)}
	fault := o.f.meet(op)
	if fault == nil {
		return o.inner.ReadAt(p, off)
	}
	switch fault.Effect {
	case Damaged:
		n, err := o.inner.ReadAt(p, off)
		fault.damage(p[:n])
		return n, err
	case Half:
		n, err := o.inner.ReadAt(p[:len(p)/2], off)
		return n, errors.Join(fault.failure(op), notEOF(err))
	case Done:
		n, err := o.inner.ReadAt(p, off)
		return n, errors.Join(fault.failure(op), notEOF(err))
	}
	return 0, fault.failure(op)
}

// notEOF keeps io.EOF out of a failure: who asks for it first would take the
// failure for the end of the file.
func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (fault *Fault) damage(p []byte) {
	if len(p) == 0 {
		return
	}
	if fault.Damage != nil {
		fault.Damage(p)
		return
	}
	p[len(p)/2] ^= 1 << 3
}

func (o *faultsFile) Write(p []byte) (int, error) {
	op := Op{Kind: Write, Name: o.name, Off: o.pos, Len: len(p)}
	fault := o.f.meet(op)
	if fault == nil {
		return o.write(p)
	}
	part := p[:0]
	switch fault.Effect {
	case Half:
		part = p[:len(p)/2]
	case Done:
		part = p
	}
	n, err := 0, error(nil)
	if len(part) > 0 {
		n, err = o.write(part)
	}
	return n, errors.Join(fault.failure(op), err)
}

func (o *faultsFile) write(p []byte) (int, error) {
	n, err := o.inner.Write(p)
	o.pos += int64(n)
	return n, err
}

// forgetter is a file that can lose what a failed sync should have written.
type forgetter interface {
	forget()
	revert() error
}

func (o *faultsFile) Sync() error {
	op := Op{Kind: Sync, Name: o.name}
	fault := o.f.meet(op)
	if fault == nil {
		return o.inner.Sync()
	}
	err := fault.failure(op)
	disk, ok := o.inner.(forgetter)
	switch {
	case fault.Effect == Done:
		err = errors.Join(err, o.inner.Sync())
	case fault.Effect == Forgotten && ok:
		disk.forget()
	case fault.Effect == Reverted && ok:
		err = errors.Join(err, disk.revert())
	}
	return err
}

func (o *faultsFile) Allocate(size int64) error {
	return o.f.run(Op{Kind: Allocate, Name: o.name, Off: size}, func() error { return o.inner.Allocate(size) })
}

func (o *faultsFile) Truncate(size int64) error {
	return o.f.run(Op{Kind: Truncate, Name: o.name, Off: size}, func() error {
		err := o.inner.Truncate(size)
		if err == nil {
			o.pos = min(o.pos, size)
		}
		return err
	})
}

func (o *faultsFile) Stat() (info fs.FileInfo, err error) {
	err = o.f.run(Op{Kind: Stat, Name: o.name}, func() (err error) {
		info, err = o.inner.Stat()
		return err
	})
	if err != nil {
		return nil, err
	}
	return info, nil
}
