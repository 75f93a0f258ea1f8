package raftstore

import (
	"io"
	"path"
	"strings"
	"sync"

	"github.com/siltstonedb/siltstone/archive"
)

// opened is a snapshot that is sent, by Read, or linked. It is for one goroutine at a time.
type opened struct {
	of  *snapshots
	id  string
	at  point
	has archive.Mark // tables that the stream only names

	stream *io.PipeReader // nil: nothing was read
	end    sync.Once
}

// leaveOut has the stream name tables that the receiver has. It is called before Read.
func (o *opened) leaveOut(has archive.Mark) {
	has.Sort()
	o.has = has
}

// tables returns the tables by the names of their files.
func (o *opened) tables() (map[string]archive.Table, error) {
	return tablesOf(o.of.on, o.of.state(o.id))
}

// parts returns what the stream is made of: tables that it only names come first.
func (o *opened) parts() (parts []part, length int64, err error) {
	return stateParts(o.of.on, o.of.state(o.id), o.has)
}

// length returns how many bytes the stream has.
func (o *opened) length() (int64, error) {
	_, length, err := o.parts()
	return length, err
}

// Read reads the stream.
func (o *opened) Read(p []byte) (int, error) {
	if o.stream == nil {
		var w *io.PipeWriter
		o.stream, w = io.Pipe()
		go func() {
			parts, _, err := o.parts()
			if err == nil {
				err = sendState(w, o.of.on, o.of.state(o.id), parts, o.at)
			}
			w.CloseWithError(err)
		}()
	}
	return o.stream.Read(p)
}

// Close lets go of the snapshot.
func (o *opened) Close() error {
	if o.stream != nil {
		o.stream.Close()
	}
	o.end.Do(func() {
		o.of.mu.Lock()
		defer o.of.mu.Unlock()
		if o.of.inUse[o.id]--; o.of.inUse[o.id] == 0 {
			delete(o.of.inUse, o.id)
		}
	})
	return nil
}

// link makes dir, which is new, a store with the state. It shares the tables, and has a
// copy of what a store writes to.
func (o *opened) link(dir string) error {
	on, from := o.of.on, o.of.state(o.id)
	all, err := stateFiles(on, from)
	if err != nil {
		return err
	}
	if err := on.MkdirAll(dir); err != nil {
		return err
	}
	for _, f := range all {
		share := on.copy
		if strings.HasSuffix(f.name, ".sst") {
			share = on.link
		}
		if err := share(path.Join(from, f.name), path.Join(dir, f.name), f.size); err != nil {
			return err
		}
	}
	return on.SyncDir(dir)
}
