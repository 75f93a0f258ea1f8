package siltstone

import (
	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/sstable"
)

// lateSyncs makes finished tables durable beside the writing of those that
// follow. No table is known to be durable before wait has said so; nothing may
// name one before. In a store without workers they are synced by wait, as late as
// may be. One goroutine at a time may use it.
type lateSyncs struct {
	db    *DB
	files chan sstable.Sink // to the goroutine that syncs them; nil: there is none
	done  chan error        // its first error
	held  []sstable.Sink    // of a store without workers
}

// lateFiles is how many finished tables may wait to be synced.
const lateFiles = 4

// lateSink is a table whose sync is asked for by Sync and begun by Close.
type lateSink struct {
	sstable.Sink
	late *lateSyncs
	due  bool
}

func (s *lateSink) Sync() error {
	s.due = true
	return nil
}

func (s *lateSink) Close() error {
	if !s.due {
		return s.Sink.Close()
	}
	s.late.take(s.Sink)
	return nil
}

// newTable is DB.newTable, with a sink that is synced late.
func (l *lateSyncs) newTable() (compaction.NewTable, error) {
	t, err := l.db.work.NewTable()
	if err == nil {
		t.Sink = &lateSink{Sink: t.Sink, late: l}
	}
	return t, err
}

func (l *lateSyncs) take(f sstable.Sink) {
	if l.db.opts.manualWork {
		l.held = append(l.held, f)
		return
	}
	if l.files == nil {
		l.files, l.done = make(chan sstable.Sink, lateFiles), make(chan error, 1)
		go syncAll(l.files, l.done)
	}
	l.files <- f
}

// syncAll syncs and closes files as they come, and says at the end what went
// wrong first.
func syncAll(files <-chan sstable.Sink, done chan<- error) {
	var first error
	for f := range files {
		if err := syncClose(f); first == nil {
			first = err
		}
	}
	done <- first
}

func syncClose(f sstable.Sink) error {
	err := f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// wait returns when every table that was closed is durable, or one of them could
// not be made so.
func (l *lateSyncs) wait() (err error) {
	for _, f := range l.held {
		if ferr := syncClose(f); err == nil {
			err = ferr
		}
	}
	l.held = nil
	if l.files != nil {
		close(l.files)
		err = <-l.done
		l.files = nil
	}
	return err
}
