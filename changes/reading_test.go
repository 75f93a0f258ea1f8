package changes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func readOnly(o *siltstone.Options) { o.ReadOnly = true }

func beside(o *siltstone.Options) { o.ReadOnly, o.Beside = true, true }

// openReading opens "db" for reading.
func openReading(t *testing.T, fsys vfs.FS, how func(*siltstone.Options)) *siltstone.DB {
	t.Helper()
	return openKeeping(t, fsys, "db", changes.Keep{}, how)
}

// keysOf returns the keys of changes, in their order.
func keysOf(t *testing.T, db *siltstone.DB, after changes.Position) (keys []string) {
	t.Helper()
	all, err := present(db, siltstone.ChangeOptions{After: after})
	done(t, err)
	for _, c := range all {
		keys = append(keys, string(c.Key))
	}
	return keys
}

// numbered returns the keys that puts of the numbers from a to b make.
func numbered(a, b int) (keys []string) {
	for i := a; i < b; i++ {
		keys = append(keys, fmt.Sprintf("key %d", i))
	}
	return keys
}

func putNumbered(t *testing.T, db *siltstone.DB, a, b int) {
	t.Helper()
	for _, k := range numbered(a, b) {
		done(t, db.Put([]byte(k), make([]byte, 500)))
	}
}

func TestAFeedOfAStoreThatIsOpenForReadingHasWhatItsLogsHave(t *testing.T) {
	disk := vfstest.NewDisk(1)
	for _, clean := range []bool{true, false} {
		db := openKeeping(t, disk, "db", plenty)
		from := int(db.Metrics().Commits.Operations)
		_, first := keysOf(t, db, changes.Position{}), db.Position()
		putNumbered(t, db, from, from+400) // of some logs
		want, end := keysOf(t, db, changes.Position{}), db.Position()
		image := disk
		if clean {
			done(t, db.Close())
		} else {
			image = disk.Image(vfstest.P0, nil) // as a killed process leaves it
		}
		r := openReading(t, image, readOnly)
		if got := keysOf(t, r, changes.Position{}); !slices.Equal(got, want) {
			t.Errorf("closed %v: the feed has %d changes, want %d", clean, len(got), len(want))
		}
		if got := keysOf(t, r, first); !slices.Equal(got, numbered(from, from+400)) {
			t.Errorf("closed %v: after %v the feed has %d changes", clean, first, len(got))
		}
		if got := keysOf(t, r, end); len(got) > 0 || r.Position() != end {
			t.Errorf("closed %v: behind the end %v it has %v, and stands at %v", clean, end, got, r.Position())
		}
		for range r.Changes(context.Background(), siltstone.ChangeOptions{After: end}) { // ends although it may wait
			t.Error("a change behind the end")
		}
		done(t, r.Close())
	}
}

func TestAFeedBesideTheWriterGoesOnWithRefresh(t *testing.T) {
	fsys := vfs.NewMem()
	db := openKeeping(t, fsys, "db", plenty)
	putNumbered(t, db, 0, 300)
	r := openReading(t, fsys, beside)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	seen, at := make(chan string), r.Position()
	ended := make(chan error, 1)
	go func() {
		for c, err := range r.Changes(ctx, siltstone.ChangeOptions{}) {
			if err != nil {
				ended <- err
				break
			}
			seen <- string(c.Key)
		}
		close(seen)
	}()
	for _, want := range numbered(0, 300) {
		if got := <-seen; got != want {
			t.Fatalf("told is %s, want %s", got, want)
		}
	}
	for from := 300; from < 1500; from += 150 { // a refresh may find more than one new log
		putNumbered(t, db, from, from+150)
		if from%450 == 0 {
			done(t, db.Close())
			db = openKeeping(t, fsys, "db", plenty)
		}
		if got := keysOf(t, r, at); len(got) > 0 {
			t.Fatalf("before the refresh %d changes are told behind %v", len(got), at)
		}
		done(t, r.Refresh(ctx))
		at = r.Position()
		for _, want := range numbered(from, from+150) {
			if got := <-seen; got != want {
				t.Fatalf("told is %s, want %s", got, want)
			}
		}
	}
	cancel()
	for key := range seen {
		t.Errorf("told is %s", key)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAFeedBesideTheWriterIsToldThatItsLogsAreGone(t *testing.T) {
	fsys := vfs.NewMem()
	db := openKeeping(t, fsys, "db", changes.Keep{Bytes: 200 << 10})
	putNumbered(t, db, 0, 200)
	r := openReading(t, fsys, beside)
	slow := openReading(t, fsys, beside)
	if got := keysOf(t, slow, changes.Position{}); !slices.Equal(got, numbered(0, 200)) {
		t.Fatalf("the feed has %d changes", len(got))
	}
	at := slow.Position()
	putNumbered(t, db, 200, 2000)
	done(t, db.Flush(context.Background()))
	done(t, db.Close()) // what is beyond the bound has gone
	for _, db := range []*siltstone.DB{r, slow} {
		for _, after := range []changes.Position{{}, at} {
			for range 2 {
				_, err := present(db, siltstone.ChangeOptions{After: after})
				var old *changes.TooOldError
				if after == at && db.Position() == at {
					if err != nil {
						t.Errorf("at the end of its state: %v", err)
					}
				} else if !errors.As(err, &old) || !errors.Is(err, siltstone.ErrTooOld) {
					t.Errorf("behind %v: %v", after, err)
				} else if all, err := present(db, siltstone.ChangeOptions{After: old.Oldest}); err != nil {
					t.Errorf("behind the oldest, %v: %d changes, %v", old.Oldest, len(all), err)
				}
				done(t, db.Refresh(context.Background()))
			}
		}
	}
}

func TestAFeedBesideAWriterThatKeepsNoneIsRefused(t *testing.T) {
	fsys := vfs.NewMem()
	db := openKeeping(t, fsys, "db", changes.Keep{})
	putNumbered(t, db, 0, 3)
	r := openReading(t, fsys, beside)
	if _, err := present(r, siltstone.ChangeOptions{}); !errors.Is(err, siltstone.ErrBadOption) {
		t.Error(err)
	}
}

// whenWritten is a writer that calls a function at its first write.
type whenWritten struct {
	io.Writer
	call func()
}

func (w *whenWritten) Write(b []byte) (int, error) {
	if w.call != nil {
		w.call()
		w.call = nil
	}
	return w.Writer.Write(b)
}

func TestABackupThatWasMadeBesideTheWriterStandsWhereItsDataEnd(t *testing.T) {
	ctx, fsys := context.Background(), vfs.NewMem()
	db := openKeeping(t, fsys, "db", plenty)
	putNumbered(t, db, 0, 300)
	r := openReading(t, fsys, beside)
	at := r.Position()
	var backup bytes.Buffer
	_, err := r.Backup(ctx, &whenWritten{&backup, func() {
		putNumbered(t, db, 300, 600)
		refreshed := make(chan error)
		go func() { refreshed <- r.Refresh(ctx) }()
		done(t, <-refreshed) // the state that is sent is one of before
	}}, nil)
	done(t, err)
	if r.Position() == at {
		t.Fatal("nothing was committed while the backup was made")
	}
	_, err = siltstone.Restore(ctx, "restored", &siltstone.Options{FS: fsys}, &backup)
	done(t, err)
	followed, err := siltstone.OpenReplica("restored", &siltstone.Options{FS: fsys})
	done(t, err)
	defer followed.Close()
	if followed.Position() != at || followed.Origin() != at {
		t.Errorf("the backup has what was committed up to %v, its store stands at %v, of %v", at, followed.Position(), followed.Origin())
	}
	for c, err := range db.Commits(ctx, siltstone.ChangeOptions{After: followed.Position(), NoWait: true}) {
		done(t, err)
		done(t, followed.Replay(c))
	}
	if got, want := picture(t, followed), picture(t, db); got != want {
		t.Errorf("the replica differs\n%s", firstDifference(got, want))
	}
}

func TestACheckpointThatWasMadeBesideTheWriterRefusesLaterPositions(t *testing.T) {
	ctx, fsys := context.Background(), vfs.NewMem()
	db := openKeeping(t, fsys, "db", plenty)
	putNumbered(t, db, 0, 10)
	r := openReading(t, fsys, beside)
	at := r.Position()
	done(t, r.Checkpoint(ctx, "copy"))
	putNumbered(t, db, 10, 20)
	c := openKeeping(t, fsys, "copy", plenty)
	if c.Origin() != at || c.Position() != at {
		t.Errorf("the checkpoint was made at %v, and stands at %v, of %v", at, c.Position(), c.Origin())
	}
	if _, err := present(c, siltstone.ChangeOptions{After: db.Position()}); !errors.Is(err, siltstone.ErrBadOption) {
		t.Errorf("the checkpoint takes a position behind it: %v", err)
	}
}
