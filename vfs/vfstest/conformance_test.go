package vfstest

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
)

// everyFS runs a test on each implementation of vfs.FS, in an empty directory.
func everyFS(t *testing.T, test func(t *testing.T, f vfs.FS, dir string)) {
	t.Run("OS", func(t *testing.T) { test(t, vfs.OS, filepath.ToSlash(t.TempDir())) })
	t.Run("Mem", func(t *testing.T) { test(t, vfs.NewMem(), ".") })
	t.Run("Disk", func(t *testing.T) { test(t, NewDisk(1), "/") })
	t.Run("Image", func(t *testing.T) { test(t, NewDisk(1).Image(P1, nil), "/") })
	t.Run("Faults", func(t *testing.T) { test(t, NewFaults(NewDisk(1)), ".") })
	t.Run("Windows", func(t *testing.T) { test(t, NewWindows(NewDisk(1)), ".") })
}

func TestEveryFSKeepsTheContractOfFiles(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := dir + "/f"
		f, err := fsys.Create(name)
		must(t, err)
		write(t, f, "hello ")
		write(t, f, "world")
		must(t, f.Sync())
		expect(t, fsys, name, "hello world")
		must(t, f.Truncate(5))
		write(t, f, "!")
		expect(t, fsys, name, "hello!")
		must(t, f.Truncate(8))
		write(t, f, "?")
		expect(t, fsys, name, "hello!?\x00")
		must(t, f.Allocate(10))
		expect(t, fsys, name, "hello!?\x00\x00\x00")
		must(t, f.Close())

		w, err := fsys.OpenWrite(name)
		must(t, err)
		write(t, w, "end")
		must(t, w.Truncate(2))
		write(t, w, "y")
		expect(t, fsys, name, "hey")
		p := make([]byte, 4)
		if n, err := w.ReadAt(p, 1); n != 2 || err != io.EOF {
			t.Errorf("read over the end: %d, %v", n, err)
		}
		if n, err := w.ReadAt(p, 9); n != 0 || err != io.EOF {
			t.Errorf("read behind the end: %d, %v", n, err)
		}
		must(t, w.Close())
	})
}

func TestZeroFillsReservedSpaceAndLeavesThePosition(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		f, err := fsys.Create(dir + "/f")
		must(t, err)
		z, ok := f.(vfs.Zeroer)
		if _, mem := fsys.(*vfs.Mem); ok == mem {
			t.Fatalf("a Zeroer: %v", ok)
		}
		if ok {
			must(t, f.Allocate(20))
			write(t, f, "start")
			must(t, z.Zero(7, 20))
			must(t, z.Zero(9, 9))
			must(t, f.Sync())
			write(t, f, " end")
			expect(t, fsys, dir+"/f", "start end"+strings.Repeat("\x00", 11))
		}
		must(t, f.Close())
		if ok && !errors.Is(z.Zero(9, 20), fs.ErrClosed) {
			t.Error("fills a closed file")
		}
	})
}

func TestDiskRefusesZerosOverWhatWasWrittenOrBehindTheEnd(t *testing.T) {
	f, err := NewDisk(1).Create("f")
	must(t, err)
	must(t, f.Allocate(20))
	write(t, f, "start")
	for _, span := range [][2]int64{{4, 10}, {5, 21}} {
		if f.(vfs.Zeroer).Zero(span[0], span[1]) == nil {
			t.Errorf("zeros from %d to %d", span[0], span[1])
		}
	}
	must(t, f.Close())
}

func TestEveryFSRefusesUseAfterClose(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		f, err := fsys.Create(dir + "/f")
		must(t, err)
		must(t, f.Close())
		_, readErr := f.ReadAt(make([]byte, 1), 0)
		_, writeErr := f.Write([]byte("x"))
		_, statErr := f.Stat()
		for call, err := range map[string]error{
			"read": readErr, "write": writeErr, "stat": statErr, "sync": f.Sync(),
			"allocate": f.Allocate(1), "truncate": f.Truncate(0), "close": f.Close(),
		} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: %v", call, err)
			}
		}
	})
}

func TestEveryFSKeepsTheContractOfNames(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		must(t, fsys.MkdirAll(dir+"/a/b"))
		must(t, fsys.MkdirAll(dir+"/a/b"))
		put(t, fsys, dir+"/a/one", "1")
		put(t, fsys, dir+"/a/two", "2")
		if _, err := fsys.Create(dir + "/a/one"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create over a file: %v", err)
		}
		if _, err := fsys.Create(dir + "/none/f"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("create without a directory: %v", err)
		}
		for _, err := range []error{
			second(fsys.Open(dir + "/none")), second(fsys.OpenWrite(dir + "/none")),
			second(fsys.Stat(dir + "/none")), second(fsys.List(dir + "/none")),
			fsys.Remove(dir + "/none"), fsys.Rename(dir+"/none", dir+"/x"), fsys.SyncDir(dir + "/none"),
			fsys.Link(dir+"/none", dir+"/x"), second(fsys.Lock(dir+"/none", true, false)),
		} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("what is not there: %v", err)
			}
		}
		must(t, fsys.Link(dir+"/a/one", dir+"/a/b/link"))
		if err := fsys.Link(dir+"/a/one", dir+"/a/two"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("link over a file: %v", err)
		}
		must(t, fsys.Rename(dir+"/a/one", dir+"/a/two"))
		expect(t, fsys, dir+"/a/two", "1")
		expect(t, fsys, dir+"/a/b/link", "1")
		names(t, fsys, dir+"/a", "b", "two")
		if err := fsys.Remove(dir + "/a"); err == nil {
			t.Error("removed a directory that is not empty")
		}
		must(t, fsys.Remove(dir+"/a/two"))
		must(t, fsys.SyncDir(dir+"/a"))
		expect(t, fsys, dir+"/a/b/link", "1")
		names(t, fsys, dir+"/a", "b")
		info, err := fsys.Stat(dir + "/a/b/link")
		must(t, err)
		if info.Name() != "link" || info.Size() != 1 || info.IsDir() {
			t.Errorf("%v", info)
		}
	})
}

func TestEveryFSReadsRemovedFilesThroughTheirHandles(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		put(t, fsys, dir+"/f", "still here")
		f, err := fsys.Open(dir + "/f")
		must(t, err)
		defer f.Close()
		if _, ok := fsys.(*Windows); ok {
			if err := fsys.Remove(dir + "/f"); !errors.Is(err, ErrInUse) {
				t.Errorf("removed while it is open: %v", err)
			}
			return
		}
		must(t, fsys.Remove(dir+"/f"))
		put(t, fsys, dir+"/f", "another")
		p := make([]byte, 10)
		if _, err := f.ReadAt(p, 0); err != nil || string(p) != "still here" {
			t.Errorf("%q, %v", p, err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, f vfs.File, s string) {
	t.Helper()
	p := []byte(s)
	n, err := f.Write(p)
	if n != len(s) || err != nil || string(p) != s {
		t.Fatalf("wrote %d of %q (%q): %v", n, s, p, err)
	}
	clear(p) // must not be kept
}

func put(t testing.TB, fsys vfs.FS, name, content string) {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	write(t, f, content)
	must(t, f.Close())
}

func read(fsys vfs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	p := make([]byte, info.Size())
	_, err = f.ReadAt(p, 0)
	return string(p), err
}

func expect(t testing.TB, fsys vfs.FS, name, want string) {
	t.Helper()
	got, err := read(fsys, name)
	if err != nil || got != want {
		t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
	}
}

func names(t testing.TB, fsys vfs.FS, dir string, want ...string) {
	t.Helper()
	got, err := fsys.List(dir)
	must(t, err)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}
