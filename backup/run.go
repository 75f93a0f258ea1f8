package backup

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/archive"
)

// RunOptions are the settings of one run. Nil is none.
type RunOptions struct {
	// BytesPerSecond bounds how fast the store is read. Zero: no bound.
	BytesPerSecond int64
	// Uploaded is called after each object that was put, with its bytes, by the goroutine
	// of Run. Nil is none.
	Uploaded func(bytes int64)
}

// Run makes a backup of an open store, beside its writers. It uploads the tables that are
// not in the repository, then what the backup is: after an error there is no backup more.
// What was uploaded stays and is not uploaded again, also after the process was killed.
// db may be one that is open for reading, beside its writer; what its logs hold is new in
// each run.
func (r *Repository) Run(ctx context.Context, db *siltstone.DB, o *RunOptions) (Backup, error) {
	if o == nil {
		o = &RunOptions{}
	}
	u := &run{Repository: r, begin: r.opts.Now(), how: o, marked: map[archive.Table]bool{}}
	// What is marked as garbage from now on is there for Grace.
	garbage, err := r.marked(ctx)
	if err != nil {
		return Backup{}, err
	}
	objects, err := r.store.List(ctx, tablePrefix)
	if err != nil {
		return Backup{}, err
	}
	have := map[archive.Table]bool{}
	for _, object := range objects {
		t, ok := parseTable(object.Name)
		if _, is := garbage[object.Name]; ok && !is && uint64(object.Size) == t.Size {
			have[t] = true
		}
	}
	// A name that is marked is not used again, though there be no object of it by now.
	for name := range garbage {
		if t, ok := parseTable(name); ok {
			u.marked[t] = true
		}
	}
	since := archive.Mark{Backup: repository}
	for t := range have {
		since.Tables = append(since.Tables, t)
	}
	since.Sort()
	return u.send(ctx, db, since)
}

// run is one Run.
type run struct {
	*Repository
	begin  time.Time
	how    *RunOptions
	marked map[archive.Table]bool // their objects may be removed
}

// send has the store write a stream, takes it apart, and uploads the parts.
func (u *run) send(ctx context.Context, db *siltstone.DB, since archive.Mark) (Backup, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pr, pw := io.Pipe()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, err := db.Backup(ctx, pw, &siltstone.BackupOptions{Since: since, BytesPerSecond: u.how.BytesPerSecond})
		_ = pw.CloseWithError(err) // nil is io.EOF; it returns nil
	}()
	b, err := u.receive(ctx, pr)
	_ = pr.CloseWithError(err) // or the store would write on
	cancel()
	<-sent
	return b, err
}

// receive uploads the tables of the stream, and then what the backup is.
func (u *run) receive(ctx context.Context, stream io.Reader) (b Backup, err error) {
	a, err := archive.NewReader(stream)
	if err != nil {
		return b, err
	}
	for {
		_, err := a.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = u.table(ctx, a)
		}
		if err != nil {
			return b, err
		}
	}
	var object bytes.Buffer
	h := a.Header()
	at, err := positionOf(h.Store, a.State())
	if err != nil {
		return b, err
	}
	w, err := archive.NewWriter(&object, h)
	if err == nil {
		_, err = w.Finish(a.State())
	}
	if err != nil {
		return b, err
	}
	late := u.opts.Grace / 2
	if took := u.opts.Now().Sub(u.begin); took >= late {
		return b, fmt.Errorf("backup: the run took %v, and may take less than %v: tables that it found may be gone; run it again, what was uploaded is there", took, late)
	}
	ctx, cancel := context.WithTimeout(ctx, u.opts.Grace/4)
	defer cancel()
	if err := u.put(ctx, backupPrefix+backupName(h), bytes.NewReader(object.Bytes()), int64(object.Len())); err != nil {
		return b, err
	}
	sum := a.Summary()
	return Backup{
		Name: backupName(h), Time: sum.Time, Store: sum.Mark.Store, Tables: len(sum.Mark.Tables), Bytes: sum.Mark.Bytes(),
		Position: at, mark: sum.Mark, state: a.State(),
	}, nil
}

// table uploads the table that a has come to. Its name is known when all of it was read.
func (u *run) table(ctx context.Context, a *archive.Reader) (err error) {
	f, err := os.CreateTemp(u.opts.TempDir, "siltstone-table-*")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}()
	size, err := io.Copy(f, a)
	if err != nil {
		return err
	}
	suffix := ""
	if u.marked[a.Table()] {
		var id [8]byte
		if _, err := rand.Read(id[:]); err != nil {
			return err
		}
		suffix = fmt.Sprintf("%x", id)
	}
	return u.put(ctx, tableName(a.Table(), suffix), f, size)
}

func (u *run) put(ctx context.Context, name string, content io.ReadSeeker, size int64) error {
	if err := u.store.Put(ctx, name, content); err != nil {
		return err
	}
	if u.how.Uploaded != nil {
		u.how.Uploaded(size)
	}
	return nil
}
