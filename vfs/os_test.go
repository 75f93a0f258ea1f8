package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestOSCreateRefusesWhatExists(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	f := mustCreate(t, OS, dir+"/f")
	defer f.Close()
	f.Write([]byte("precious"))
	for _, name := range []string{"/f", "/link"} {
		os.Symlink(dir+"/nothing", dir+"/link")
		if _, err := OS.Create(dir + name); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create %s: %v", name, err)
		}
	}
	if content, _ := os.ReadFile(dir + "/f"); string(content) != "precious" {
		t.Errorf("content is %q", content)
	}
}

func TestOSFilesAreForTheirOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("windows has no mode bits")
	}
	dir := t.TempDir()
	must(t, OS.MkdirAll(dir+"/a/b"))
	mustCreate(t, OS, dir+"/a/f").Close()
	for name, want := range map[string]fs.FileMode{"/a": 0o700, "/a/b": 0o700, "/a/f": 0o600} {
		info, err := OS.Stat(dir + name)
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}

func TestOSOpensRegularFilesOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs symbolic links")
	}
	dir := t.TempDir()
	mustCreate(t, OS, dir+"/f").Close()
	must(t, os.Symlink(dir+"/f", dir+"/link"))
	for _, name := range []string{"/link", ""} {
		if f, err := OS.Open(dir + name); err == nil {
			t.Errorf("opened %q: %v", name, f)
		}
	}
	if _, err := OS.Open(dir + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestOSAllocateGrowsTheFileAndNotThePosition(t *testing.T) {
	f := mustCreate(t, OS, t.TempDir()+"/f")
	defer f.Close()
	must(t, f.Allocate(1<<16))
	must(t, f.Allocate(1<<10))
	must(t, f.Allocate(0))
	if err := f.Allocate(-1); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("negative size: %v", err)
	}
	if n, err := f.Write([]byte("start")); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	p := make([]byte, 8)
	if _, err := f.ReadAt(p, 0); err != nil || string(p) != "start\x00\x00\x00" {
		t.Errorf("%q, %v", p, err)
	}
	info, err := f.Stat()
	must(t, err)
	if info.Size() != 1<<16 {
		t.Errorf("size is %d", info.Size())
	}
}

func TestOSAllocateBeyondTheDiskIsNoSpace(t *testing.T) {
	// A file system in memory refuses at once. One on a disk would be full for a moment,
	// for everybody.
	dir, err := os.MkdirTemp("/dev/shm", "siltstone")
	if err != nil {
		t.Skipf("there is no file system in memory: %v", err)
	}
	defer os.RemoveAll(dir)
	free := OS.Free(dir)
	if free <= 0 || free > 1<<42 {
		t.Skipf("%d bytes are free", free)
	}
	f := mustCreate(t, OS, dir+"/f")
	defer f.Close()
	err = f.Allocate(free + 1<<40)
	if !IsNoSpace(err) && !errors.Is(err, syscall.EFBIG) {
		t.Errorf("allocated more than there is: %v", err)
	}
}

func TestOSFreeIsUnknownForWhatIsNotThere(t *testing.T) {
	if free := OS.Free(filepath.Join(t.TempDir(), "none")); free >= 0 {
		t.Errorf("%d bytes free nowhere", free)
	}
}

func TestNoSpaceIsSeenThroughWrapping(t *testing.T) {
	for _, err := range []error{ErrNoSpace, &fs.PathError{Err: ErrNoSpace}, fmt.Errorf("x: %w", &os.PathError{Err: syscall.EDQUOT})} {
		if !IsNoSpace(err) {
			t.Errorf("%v is not recognised", err)
		}
	}
	for _, err := range []error{nil, fs.ErrNotExist, syscall.EIO} {
		if IsNoSpace(err) {
			t.Errorf("%v is taken for a full disk", err)
		}
	}
}

func TestLinkRefusalIsErrNoLink(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a second file system")
	}
	f := mustCreate(t, OS, t.TempDir()+"/f")
	f.Close()
	err := OS.Link(f.(*osFile).f.Name(), "/dev/shm/siltstone-link-test")
	if err == nil {
		os.Remove("/dev/shm/siltstone-link-test")
		t.Skip("the temporary directory is on /dev/shm")
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no /dev/shm")
	}
	if !errors.Is(err, ErrNoLink) {
		t.Errorf("%v", err)
	}
}

func TestOSZeroFillsAndLeavesThePosition(t *testing.T) {
	f := mustCreate(t, OS, t.TempDir()+"/f")
	defer f.Close()
	must(t, f.Allocate(300<<10))
	if _, err := f.Write([]byte("start")); err != nil {
		t.Fatal(err)
	}
	z := f.(Zeroer)
	must(t, z.Zero(5, 300<<10))
	must(t, z.Zero(100, 100))
	if _, err := f.Write([]byte(" end")); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 300<<10)
	if n, err := f.ReadAt(p, 0); n != len(p) || string(p[:9]) != "start end" || strings.Trim(string(p[9:]), "\x00") != "" {
		t.Errorf("%d bytes, %q…, %v", n, p[:12], err)
	}
	f.Close()
	if err := z.Zero(0, 10); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestHintsChangeNothingThatIsRead(t *testing.T) {
	name := t.TempDir() + "/f"
	f := mustCreate(t, OS, name)
	content := strings.Repeat("some bytes ", 40_000)
	if _, err := f.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	must(t, f.Close())
	f, err := OS.Open(name)
	must(t, err)
	h := f.(Hinter)
	h.ReadAhead(false)
	for _, span := range [][2]int64{{0, 1 << 20}, {100, 5000}, {1 << 30, 10}, {-5, 10}, {5, -10}} {
		h.WillRead(span[0], span[1])
	}
	p := make([]byte, len(content))
	if n, err := f.ReadAt(p, 0); n != len(p) || string(p) != content {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n := testing.AllocsPerRun(100, func() { h.WillRead(0, 4096) }); n > 0 {
		t.Errorf("a hint allocates %v times", n)
	}
	must(t, f.Close())
	h.ReadAhead(false)
	h.WillRead(0, 10)
}
