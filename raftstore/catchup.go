package raftstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
)

// askTables asks a replica which tables of a snapshot it has. It reads them to know, so
// that it is given time for that; the end of this replica ends the wait.
func (s *Store) askTables(addr string, o *opened) (has archive.Mark, err error) {
	tables, err := o.tables()
	if err != nil {
		return has, err
	}
	var all archive.Mark
	for _, t := range tables {
		all.Tables = append(all.Tables, t)
	}
	all.Sort()
	question, err := all.MarshalBinary()
	if err != nil || len(question) > maxProposal {
		return has, errors.Join(err, errRefused)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second+time.Duration(all.Bytes()/slowestRead)*time.Second)
	defer cancel()
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	b, err := s.net.askAnew(ctx, addr, append([]byte{askTables}, question...))
	if err != nil {
		return has, err
	}
	if len(b) == 0 || b[0] != answered {
		return has, errRefused
	}
	return has, has.UnmarshalBinary(b[1:])
}

// slowestRead is how many bytes of its tables a replica reads in a second, at least.
const slowestRead = 16 << 20

// answerTables answers which of the tables that a mark names this replica has.
func (s *Store) answerTables(question []byte) ([]byte, error) {
	var wanted, has archive.Mark
	if err := wanted.UnmarshalBinary(question); err != nil {
		return nil, err
	}
	found, err := s.machine.snapshots.tables()
	if err != nil {
		return nil, err
	}
	for _, t := range wanted.Tables {
		if name := found[t]; name != "" && s.verifies(t, name) {
			has.Tables = append(has.Tables, t)
		}
	}
	return has.MarshalBinary()
}

// verifies reads a table and reports whether it is the one that it is taken for. One that
// is damaged on this disk is asked for again by that.
func (s *Store) verifies(t archive.Table, name string) bool {
	in, err := s.machine.on.Open(name)
	if err != nil {
		return false
	}
	defer in.Close()
	h, b := xxhash.New(), make([]byte, 256<<10)
	for at := int64(0); ; {
		n, err := in.ReadAt(b, at)
		_, _ = h.Write(b[:n]) // never fails
		at += int64(n)
		switch {
		case s.closed() || err != nil && !errors.Is(err, io.EOF) || at > int64(t.Size):
			return false
		case err != nil:
			return at == int64(t.Size) && h.Sum64() == t.Digest
		}
	}
}

// tablesOf returns the tables of the store in dir, which nobody changes, by the names of
// their files.
func tablesOf(on files, dir string) (map[string]archive.Table, error) {
	state, _, err := manifest.Load(on.FS, dir)
	if err != nil {
		return nil, fmt.Errorf("raftstore: %s: %w", dir, err)
	}
	all := map[string]archive.Table{}
	for _, t := range state.Version.AllTables() {
		all[base.Filename(base.FileTable, t.Num)] = archive.Table{ID: t.ID, Size: t.Size, Digest: t.Digest}
	}
	return all, nil
}

// tables returns the files of all tables in the snapshots that there are. One that is
// removed meanwhile has none.
func (s *snapshots) tables() (map[archive.Table]string, error) {
	all, err := s.list()
	if err != nil {
		return nil, err
	}
	found := map[archive.Table]string{}
	for _, m := range all {
		dir := s.state(m.Raft.ID)
		tables, err := tablesOf(s.on, dir)
		if err != nil {
			continue // the others serve as well
		}
		for name, t := range tables {
			found[t] = path.Join(dir, name)
		}
	}
	return found, nil
}
