package backup

import (
	"context"
	"io"
	"time"

	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/checkpoint"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// Config is the store that is sent, and how.
type Config struct {
	checkpoint.Source
	Since          archive.Mark // what the receiver has; zero: nothing
	BytesPerSecond int64        // 0: no bound
}

// pieceBytes is how much of a table is read and written between two looks at the context.
const pieceBytes = 256 << 10

// Run writes the state after one commit, made at or after the call, to w:
//
//  1. memory flushed to tables
//  2. the version pinned: none of its files is unlinked while it is being sent
//  3. header, and each table that Since does not name, its digest verified
//  4. the state and the end
//
// After an error the stream has no end, so no reader takes it for a backup.
func Run(ctx context.Context, w io.Writer, c Config) (archive.Summary, error) {
	p, err := c.Pin(ctx)
	if err != nil {
		return archive.Summary{}, err
	}
	defer p.Release()
	state := p.State
	if since := c.Since; !since.IsZero() && (since.Store != 0 && since.Store != state.Parent || since.Backup == 0) {
		return archive.Summary{}, base.Errorf(base.ErrBadOption, "the backup that this one is to add to is %016x of store %016x, and this is store %016x", since.Backup, since.Store, state.Parent)
	}
	a, err := archive.NewWriter(newPace(ctx, w, c.BytesPerSecond), archive.Header{
		Store: state.Parent, Backup: state.DBID, Since: c.Since.Backup, Time: time.UnixMilli(state.Clock),
	})
	if err != nil {
		return archive.Summary{}, err
	}
	s := sending{ctx: ctx, from: c.From, a: a}
	for _, t := range state.Version.AllTables() {
		if c.Since.Has(archive.Table{ID: t.ID, Size: t.Size, Digest: t.Digest}) {
			continue
		}
		if err := s.table(t); err != nil {
			return archive.Summary{}, err
		}
	}
	if err := p.Memtables(ctx, s.newTable); err != nil {
		return archive.Summary{}, err
	}
	edit := p.State.Snapshot()
	edit.MinLog = 0 // there is no log
	return a.Finish(manifest.AppendEdit(nil, edit))
}

// sending is the tables of one Run.
type sending struct {
	ctx  context.Context
	from storedir.Dir
	a    *archive.Writer
	buf  []byte
}

// table sends a table's file, and refuses one that is not as the manifest says.
func (s *sending) table(t *manifest.Table) error {
	name := base.Filename(base.FileTable, t.Num)
	f, err := s.from.FS.Open(s.from.Join(name))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.a.Table(t.ID); err != nil {
		return err
	}
	if s.buf == nil {
		s.buf = make([]byte, pieceBytes)
	}
	for at := uint64(0); at < t.Size; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		piece := s.buf[:min(uint64(len(s.buf)), t.Size-at)]
		if n, err := f.ReadAt(piece, int64(at)); n < len(piece) {
			if err == nil || err == io.EOF {
				err = base.Corruptf(name, int64(at)+int64(n), "table ends here, the manifest says %d bytes", t.Size)
			}
			return err
		}
		if _, err := s.a.Write(piece); err != nil {
			return err
		}
		at += uint64(len(piece))
	}
	sent, err := s.a.EndTable()
	if err == nil && sent.Digest != t.Digest {
		err = base.Corruptf(name, -1, "digest of the file is %016x, want %016x", sent.Digest, t.Digest)
	}
	return err
}

// newTable begins a table that is written to the stream as it is made.
func (s *sending) newTable(num base.FileNum) (compaction.NewTable, error) {
	id, err := storedir.RandomID()
	if err != nil {
		return compaction.NewTable{}, err
	}
	return compaction.NewTable{Num: num, ID: id, Sink: tableSink{s.a}}, s.a.Table(id)
}

// tableSink is the file of a table that is in the stream alone.
type tableSink struct{ a *archive.Writer }

func (s tableSink) Write(p []byte) (int, error) { return s.a.Write(p) }
func (s tableSink) Sync() error                 { return nil }
func (s tableSink) Close() error                { _, err := s.a.EndTable(); return err }
