package main

import (
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/siltstonedb/siltstone/vfs"
)

// disk is a file system whose tables are far away. It counts their reads.
type disk struct {
	vfs.FS
	s *settings

	mu    sync.Mutex
	total counts
	now   time.Duration // of the model
	free  time.Duration // when the model has sent all bytes that were asked for
	files []*file
}

// counts are what reads of tables came to.
type counts struct {
	reads, bytes int64
	waited       time.Duration
}

func (c counts) minus(d counts) counts {
	return counts{c.reads - d.reads, c.bytes - d.bytes, c.waited - d.waited}
}

func newDisk(s *settings) *disk { return &disk{FS: vfs.OS, s: s} }

func (d *disk) counts() counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.total
}

// Open implements vfs.FS.
func (d *disk) Open(name string) (vfs.File, error) {
	f, err := d.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sst") {
		return f, err
	}
	opened := &file{File: f, d: d}
	if d.s.real {
		if opened.pages, err = os.Open(name); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files = append(d.files, opened)
	return opened, nil
}

// hinter is what a file may be, too.
type hinter interface {
	ReadAhead(may bool)
	WillRead(off, n int64)
}

// file is a table's.
type file struct {
	vfs.File
	d      *disk
	coming []stretch // that was hinted; guarded by d.mu
	since  int       // reads since the page cache was emptied
	pages  *os.File  // the same file, with -real
}

// Close implements vfs.File.
func (f *file) Close() error {
	err := f.File.Close()
	if f.pages != nil {
		err = errors.Join(err, f.pages.Close())
	}
	return err
}

// stretch is bytes of a file, and when they are there.
type stretch struct {
	off, end int64
	ready    time.Duration
}

// ReadAt waits, or counts a wait.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.count(off, int64(len(p)))
	n, err := f.File.ReadAt(p, off)
	if f.d.s.real {
		f.d.mu.Lock()
		f.since++
		if f.since%dropEvery == 0 {
			dropPages(f.pages)
		}
		f.d.mu.Unlock()
	}
	return n, err
}

// dropEvery is after how many reads of a file its pages are dropped.
const dropEvery = 64

func (f *file) count(off, n int64) {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total.reads++
	ready, at := time.Duration(0), off
	for i := 0; i < len(f.coming) && at < off+n; {
		if s := f.coming[i]; at < s.off || at >= s.end {
			i++
			continue
		}
		ready, at = max(ready, f.coming[i].ready), f.coming[i].end
		if f.coming[i].take(off, off+n); f.coming[i].off == f.coming[i].end {
			f.coming = append(f.coming[:i], f.coming[i+1:]...)
		}
		i = 0
	}
	if at < off+n {
		ready = max(ready, d.send(off+n-at))
	}
	if ready > d.now {
		d.total.waited += ready - d.now
		d.now = ready
	}
}

// take removes what lies in [off, end), which begins or ends in the stretch or covers it.
func (s *stretch) take(off, end int64) {
	if off <= s.off {
		s.off = min(end, s.end)
	} else {
		s.end = off
	}
}

// send returns when n bytes that are asked for now are there. The caller holds mu.
func (d *disk) send(n int64) time.Duration {
	d.total.bytes += n
	d.free = max(d.free, d.now+d.s.latency) + time.Duration(n)*time.Second/time.Duration(d.s.rate)
	return d.free
}

// ReadAhead is one of the hints of a file.
func (f *file) ReadAhead(may bool) {
	if h, ok := f.File.(hinter); ok && f.d.s.real {
		h.ReadAhead(may)
	}
}

// WillRead is one of the hints of a file.
func (f *file) WillRead(off, n int64) {
	if f.d.s.real {
		if h, ok := f.File.(hinter); ok {
			h.WillRead(off, n)
		}
		return
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.coming = append(f.coming, stretch{off, off + n, f.d.send(n)})
}

// drop forgets what is on its way, or in the page cache.
func (d *disk) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.files {
		f.coming = nil
		if d.s.real {
			dropPages(f.pages)
		}
	}
}
