package changes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func buffered(o *siltstone.Options) { o.Durability = siltstone.BufferedDurability }

// Commits that are written together are one frame of the log.
func TestAReaderGoesOnBetweenCommitsThatWereWrittenTogether(t *testing.T) {
	db := openKeeping(t, vfs.NewMem(), "db", plenty, buffered)
	for i := range 200 {
		done(t, db.Put(fmt.Appendf(nil, "key %d", i), nil))
	}
	done(t, db.Sync())
	all, err := present(db, siltstone.ChangeOptions{})
	done(t, err)
	for i, c := range all {
		rest, err := present(db, siltstone.ChangeOptions{After: c.Position})
		done(t, err)
		if len(rest) != len(all)-1-i || len(rest) > 0 && string(rest[0].Key) != string(all[i+1].Key) {
			t.Fatalf("behind change %d of %d there are %d", i, len(all), len(rest))
		}
	}
}

// A kept log whose end is gone looks like one that ends before.
func TestAKeptLogThatHasLostItsEndIsTold(t *testing.T) {
	for _, which := range []string{"retired", "in use"} {
		t.Run(which, func(t *testing.T) {
			fsys := vfs.NewMem()
			db := openKeeping(t, fsys, "db", plenty)
			for i := range 100 {
				done(t, db.Put(fmt.Appendf(nil, "key %d", i), make([]byte, 100)))
			}
			if which == "retired" {
				done(t, db.Flush(context.Background()))
				done(t, db.Put([]byte("last"), nil))
			}
			lostEndIsTold(t, db, fsys)
		})
	}
}

// lostEndIsTold makes the oldest log lose its end, and reads the changes.
func lostEndIsTold(t *testing.T, db *siltstone.DB, fsys vfs.FS) {
	t.Helper()
	names, err := fsys.List("db")
	done(t, err)
	first := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".wal") && (first == "" || name < first) {
			first = name
		}
	}
	loseEnd(t, fsys, "db/"+first)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // who passes over it looks again and again
	defer cancel()
	n := 0
	for _, err = range db.Changes(ctx, siltstone.ChangeOptions{NoWait: true}) {
		n++
	}
	if !errors.Is(err, siltstone.ErrCorruption) {
		t.Errorf("%d changes, and at last %v", n, err)
	}
}

// loseEnd makes the second half of what was written to a log zeros.
func loseEnd(t *testing.T, fsys vfs.FS, name string) {
	t.Helper()
	f, err := fsys.Open(name)
	done(t, err)
	st, err := f.Stat()
	done(t, err)
	b := make([]byte, st.Size())
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	done(t, f.Close())
	written := len(strings.TrimRight(string(b), "\x00"))
	clear(b[written/2:])
	done(t, fsys.Remove(name))
	w, err := fsys.Create(name)
	done(t, err)
	_, err = w.Write(b)
	done(t, err)
	done(t, w.Close())
}

// A log that was retired is kept for readers, and a flush retires it.
func TestAPowerCutInAFlushLeavesTheFeedWhole(t *testing.T) {
	disk := vfstest.NewDisk(1)
	db := openKeeping(t, disk, "db", plenty, buffered)
	for i := range 20 {
		done(t, db.Put(fmt.Appendf(nil, "key %02d", i), nil))
	}
	var images []*vfstest.Disk
	disk.OnOp(func(vfstest.Op) { images = append(images, disk.Image(vfstest.P1, nil)) })
	done(t, db.Flush(context.Background()))
	disk.OnOp(nil)
	for n, image := range images {
		again := openKeeping(t, image, "db", plenty)
		held := 0
		for _, err := range again.Scan(siltstone.Range{}) {
			done(t, err)
			held++
		}
		if all, err := present(again, siltstone.ChangeOptions{}); err != nil || len(all) != held {
			t.Errorf("cut %d of %d: the store holds %d keys, the feed %d, and then %v", n, len(images), held, len(all), err)
		}
		done(t, again.Close())
	}
}
