package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/archive"
)

// Restore makes dir a store with the state of a backup, as siltstone.Restore does. An
// empty name is the newest backup. Options are those of siltstone.Restore.
func (r *Repository) Restore(ctx context.Context, name, dir string, o *siltstone.Options) error {
	stream, err := r.Stream(ctx, name)
	if err != nil {
		return err
	}
	_, err = siltstone.Restore(ctx, dir, o, stream)
	return errors.Join(err, stream.Close())
}

// Stream returns a backup as the stream that DB.Backup writes, whole by itself: for
// siltstone.RestoreKeyspace, or to be kept elsewhere. An empty name is the newest backup.
// The caller closes it.
func (r *Repository) Stream(ctx context.Context, name string) (io.ReadCloser, error) {
	b, tables, err := r.find(ctx, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	s := &stream{PipeReader: pr, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		_ = pw.CloseWithError(r.compose(ctx, pw, b, tables)) // it returns nil
	}()
	return s, nil
}

// stream is a stream that is being composed.
type stream struct {
	*io.PipeReader
	cancel context.CancelFunc
	ended  chan struct{}
}

// Close ends the composing and waits until it has ended.
func (s *stream) Close() error {
	s.cancel()
	err := s.PipeReader.Close()
	<-s.ended
	return err
}

// find returns a backup that is whole, and the objects of tables.
func (r *Repository) find(ctx context.Context, name string) (Backup, map[archive.Table][]string, error) {
	if name == "" {
		all, err := r.survey(ctx)
		if err == nil && len(all.whole) == 0 {
			err = fmt.Errorf("%w: the repository has none", ErrNotFound)
		}
		if err != nil {
			return Backup{}, nil, err
		}
		return all.whole[len(all.whole)-1], all.tables, nil
	}
	b, err := r.read(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err != nil {
		return b, nil, err
	}
	s := &survey{tables: map[archive.Table][]string{}}
	if err = s.list(ctx, r); err == nil {
		err = s.missing(b)
	}
	return b, s.tables, err
}

// compose writes a backup as one stream.
func (r *Repository) compose(ctx context.Context, w io.Writer, b Backup, tables map[archive.Table][]string) error {
	a, err := archive.NewWriter(w, archive.Header{Store: b.Store, Backup: b.mark.Backup, Time: b.Time})
	if err != nil {
		return err
	}
	for _, t := range b.mark.Tables {
		if err := a.Table(t.ID); err != nil {
			return err
		}
		name := tables[t][0]
		if err := r.store.copy(ctx, a, name); err != nil {
			return err
		}
		got, err := a.EndTable()
		if err != nil {
			return err
		}
		if got != t {
			return damagedTable(name, got)
		}
	}
	_, err = a.Finish(b.state)
	return err
}

func damagedTable(name string, got archive.Table) error {
	return fmt.Errorf("backup: %s has %d bytes of digest %016x: %w", name, got.Size, got.Digest, siltstone.ErrCorruption)
}
