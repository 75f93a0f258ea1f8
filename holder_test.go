package siltstone

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/vfs"
)

const holderDir = "SILTSTONE_HOLDER_DIR" // set in the child: the directory it opens

// TestSecondOpener is a child, and does nothing in any other process.
func TestSecondOpener(t *testing.T) {
	dir := os.Getenv(holderDir)
	if dir == "" {
		t.Skip("runs in the process that TestSecondOpenOfTheDirectoryNamesTheHolder starts")
	}
	_, err := Open(dir, nil)
	fmt.Printf("locked=%v %v\n", errors.Is(err, ErrLocked), err)
}

func TestSecondOpenOfTheDirectoryNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	still := denseOptions(vfs.OS, newHandClock()) // nothing happens by itself
	db, err := Open(dir, &still)
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	for _, o := range []*Options{nil, {ReadOnly: true}} {
		_, err := Open(dir, o)
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "this process") {
			t.Errorf("a second Open in this process: %v", err)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecondOpener$")
	cmd.Env = append(os.Environ(), holderDir+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "process"
	if runtime.GOOS == "linux" {
		want = fmt.Sprintf("process %d", os.Getpid())
	}
	if !strings.Contains(string(out), "locked=true") || !strings.Contains(string(out), want) {
		t.Errorf("Open in another process says: %s", out)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("those who were refused changed something:\n%s\n%s", before, after)
	}
	mustClose(t, db)
	db, err = Open(dir, nil)
	if err != nil {
		t.Fatalf("once the holder is gone: %v", err)
	}
	mustClose(t, db)
}

// tree describes all files of a directory: names, sizes, contents, times.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, e.Name(), info.Size(), info.ModTime().UnixNano(), hashParts(string(content)))
	}
	return b.String()
}

// longAgo gives every file of dir an old time, so that any change shows.
func longAgo(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Chtimes(filepath.Join(dir, e.Name()), time.Time{}, time.Unix(1_000_000_000, 0)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadOnlyOpenChangesNoByte(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprintf("clean %v", clean), func(t *testing.T) {
			dir := t.TempDir()
			db := storeIn(t, dir)
			if clean {
				mustClose(t, db)
			} else {
				killed := t.TempDir() // what a kill leaves: the files as they are
				copyFiles(t, dir, killed)
				mustClose(t, db)
				dir = killed
			}
			longAgo(t, dir)
			before := tree(t, dir)
			o := &Options{ReadOnly: true}
			a, err := Open(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Open(dir, o)
			if err != nil {
				t.Fatalf("a second reader: %v", err)
			}
			if _, err := Open(dir, nil); !errors.Is(err, ErrLocked) {
				t.Errorf("a writer beside readers: %v", err)
			}
			for _, r := range []*DB{a, b} {
				if keys := keysOf(t, r); len(keys) != 200 {
					t.Errorf("a reader sees %d keys", len(keys))
				}
				if err := r.Put([]byte("k"), nil); !errors.Is(err, ErrReadOnly) {
					t.Errorf("a write: %v", err)
				}
				if err := r.Flush(t.Context()); !errors.Is(err, ErrReadOnly) {
					t.Errorf("a flush: %v", err)
				}
				mustClose(t, r)
			}
			if after := tree(t, dir); after != before {
				t.Errorf("before\n%safter\n%s", before, after)
			}
			w, err := Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, o); !errors.Is(err, ErrLocked) {
				t.Errorf("a reader beside a writer: %v", err)
			}
			mustClose(t, w)
		})
	}
}

// storeIn makes a store of 200 keys in a real directory, some of them in tables
// and some in the log.
func storeIn(t testing.TB, dir string) *DB {
	t.Helper()
	o := denseOptions(vfs.OS, newHandClock())
	db, err := Open(dir, &o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		putAt(t, db, OS, fmt.Sprint("key", i), strings.Repeat("v", 100))
		if i == 150 {
			if err := db.step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return db
}

func copyFiles(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
