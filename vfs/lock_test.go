package vfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/leaktest"
)

// TestMain runs the second process of the lock tests: it takes the lock named
// in its environment, says how that went, and holds it until its input ends.
func TestMain(m *testing.M) {
	name := os.Getenv("VFS_LOCK_CHILD")
	if name == "" {
		leaktest.Main(m)
	}
	how, name, _ := strings.Cut(name, ":")
	_, err := OS.Lock(name, how == "exclusive", true)
	if err != nil {
		fmt.Println(err)
		os.Exit(0)
	}
	fmt.Println("locked")
	io.Copy(io.Discard, os.Stdin)
}

// child is another process that tries for a lock.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	say string
}

func startChild(t *testing.T, how, name string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), "VFS_LOCK_CHILD="+how+":"+name)
	in, err := c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	must(t, c.cmd.Start())
	c.in = in
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	c.say = strings.TrimSpace(line)
	t.Cleanup(c.end)
	return c
}

func (c *child) end() {
	c.in.Close()
	c.cmd.Wait()
}

func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

func TestLockExcludesOtherProcesses(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		refused       bool
	}{
		{"exclusive", "exclusive", true},
		{"exclusive", "shared", true},
		{"shared", "exclusive", true},
		{"shared", "shared", false},
	} {
		t.Run(tt.first+" then "+tt.second, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "LOCK")
			c := startChild(t, tt.first, name)
			if c.say != "locked" {
				t.Fatalf("first: %s", c.say)
			}
			l, err := OS.Lock(name, tt.second == "exclusive", true)
			if errors.Is(err, ErrLockHeld) != tt.refused || (err == nil) == tt.refused {
				t.Fatalf("second: %v", err)
			}
			if tt.refused {
				want := fmt.Sprintf("process %d", c.cmd.Process.Pid)
				if tt.first == "shared" {
					want = "readers in other processes"
				}
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %q", err, want)
				}
				c.kill() // a dead holder holds nothing
				l, err = OS.Lock(name, tt.second == "exclusive", false)
				must(t, err)
			}
			must(t, l.Close())
		})
	}
}

func TestLockHeldHereIsToldToOtherProcesses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "LOCK")
	l, err := OS.Lock(name, true, true)
	must(t, err)
	want := fmt.Sprintf("process %d", os.Getpid())
	if c := startChild(t, "shared", name); !strings.Contains(c.say, want) {
		t.Errorf("%q does not name %q", c.say, want)
	}
	must(t, l.Close())
	if c := startChild(t, "exclusive", name); c.say != "locked" {
		t.Errorf("after release: %s", c.say)
	}
}

func TestLockLeftoverPidIsNotTakenForTheHolder(t *testing.T) {
	name := filepath.Join(t.TempDir(), "LOCK")
	startChild(t, "exclusive", name).kill()
	startChild(t, "shared", name)
	_, err := OS.Lock(name, true, false)
	if !errors.Is(err, ErrLockHeld) || !strings.Contains(err.Error(), "readers") {
		t.Errorf("%v", err)
	}
}

func TestLockExcludesWithinAProcess(t *testing.T) {
	for _, fsys := range []struct {
		name string
		FS
		dir string
	}{{"OS", OS, filepath.ToSlash(t.TempDir())}, {"Mem", NewMem(), "."}} {
		t.Run(fsys.name, func(t *testing.T) {
			name := fsys.dir + "/LOCK"
			if _, err := fsys.Lock(name, true, false); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("missing file: %v", err)
			}
			l, err := fsys.Lock(name, true, true)
			must(t, err)
			for _, exclusive := range []bool{true, false} {
				_, err := fsys.Lock(name, exclusive, true)
				if !errors.Is(err, ErrLockHeld) || !strings.Contains(err.Error(), "this process") {
					t.Errorf("exclusive=%v: %v", exclusive, err)
				}
			}
			must(t, l.Close())
			if err := l.Close(); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("second close: %v", err)
			}
			a, err := fsys.Lock(name, false, false)
			must(t, err)
			b, err := fsys.Lock(name, false, false)
			must(t, err)
			must(t, a.Close())
			if _, err := fsys.Lock(name, true, false); !errors.Is(err, ErrLockHeld) {
				t.Errorf("beside a reader: %v", err)
			}
			must(t, b.Close())
			l, err = fsys.Lock(name, true, false)
			must(t, err)
			must(t, l.Close())
		})
	}
	if len(locks.held) != 0 {
		t.Errorf("%d locks are left", len(locks.held))
	}
}

func TestLockKnowsAFileByAnyName(t *testing.T) {
	dir := t.TempDir()
	l, err := OS.Lock(filepath.Join(dir, "LOCK"), true, true)
	must(t, err)
	defer l.Close()
	must(t, os.Link(filepath.Join(dir, "LOCK"), filepath.Join(dir, "other")))
	t.Chdir(dir)
	for _, name := range []string{"LOCK", "./LOCK", "other"} {
		if _, err := OS.Lock(name, true, true); !errors.Is(err, ErrLockHeld) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
