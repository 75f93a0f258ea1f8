package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestADirectoryHoldsObjects(t *testing.T) {
	s := Dir(filepath.Join(t.TempDir(), "a", "b"))
	if all, err := s.List(bg, "x/"); len(all) != 0 || err != nil {
		t.Errorf("of a directory that is not there: %v, %v", all, err)
	}
	for _, content := range []string{"one", "another"} {
		must(t, s.Put(bg, "x/y/name", strings.NewReader(content)))
		must(t, s.Put(bg, "z", strings.NewReader(content)))
		r, err := s.Get(bg, "x/y/name")
		must(t, err)
		got, err := io.ReadAll(r)
		must(t, errors.Join(err, r.Close()))
		if string(got) != content {
			t.Errorf("%q, want %q", got, content)
		}
	}
	all, err := s.List(bg, "x/")
	if err != nil || len(all) != 1 || all[0] != (Object{"x/y/name", 7}) {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := s.Get(bg, "x/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	must(t, errors.Join(s.Delete(bg, "x/none"), s.Delete(bg, "x/y/name")))
	if all, err := s.List(bg, ""); err != nil || len(all) != 1 || all[0].Name != "z" {
		t.Errorf("%v, %v", all, err)
	}
}

func TestAPowerCutLeavesAWholeObjectOrNoneInADirectory(t *testing.T) {
	disk := vfstest.NewDisk(1)
	rng := rand.New(rand.NewPCG(1, 1))
	s := DirOn(disk, "repo")
	content := bytes.Repeat([]byte("content "), 1000)
	cuts, left := 0, 0
	disk.OnOp(func(op vfstest.Op) {
		for _, p := range vfstest.Profiles() {
			for image := range disk.Images(p, 3, rng) {
				cuts++
				all, err := DirOn(image, "repo").List(bg, "")
				must(t, err)
				for _, o := range all {
					if strings.HasPrefix(o.Name, "a/b"+partialMark) {
						continue
					}
					left++
					if o.Name != "a/b" || o.Size != int64(len(content)) || !bytes.Equal(objectOf(t, DirOn(image, "repo")), content) {
						t.Fatalf("cut %v before %v: %v", p, op, all)
					}
				}
			}
		}
	})
	must(t, s.Put(bg, "a/b", bytes.NewReader(content)))
	disk.OnOp(nil)
	if got := objectOf(t, DirOn(disk.Image(vfstest.P1, rng), "repo")); !bytes.Equal(got, content) {
		t.Error("what was confirmed is gone")
	}
	if left == 0 || left == cuts {
		t.Errorf("%d of %d cuts left an object: nothing was shown", left, cuts)
	}
}

// TestAnObjectInADirectoryThatAKilledProcessMadeOutlivesAPowerCut: the name of the directory
// need not have been durable.
func TestAnObjectInADirectoryThatAKilledProcessMadeOutlivesAPowerCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, made := range []string{"repo", "repo/a", "repo/a/b"} {
		disk := vfstest.NewDisk(1)
		must(t, disk.MkdirAll(made))
		s := DirOn(disk, "repo")
		for _, name := range []string{"a/b/c", "a/b/d"} {
			must(t, s.Put(bg, name, strings.NewReader("content")))
			all, err := DirOn(disk.Image(vfstest.P1, rng), "repo").List(bg, name)
			if err != nil || len(all) != 1 {
				t.Errorf("%s was there: what was confirmed as %s is gone: %v, %v", made, name, all, err)
			}
		}
	}
}

func objectOf(t *testing.T, s Store) []byte {
	t.Helper()
	r, err := s.Get(bg, "a/b")
	must(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	must(t, err)
	return b
}

func TestAPutThatFailsLeavesNothingInADirectory(t *testing.T) {
	for k := int64(1); ; k++ {
		disk := vfstest.NewDisk(1)
		must(t, disk.MkdirAll("repo/a"))
		faults := vfstest.NewFaults(disk)
		faults.Inject(vfstest.Fault{Nth: k})
		err := DirOn(faults, "repo").Put(bg, "a/b", strings.NewReader("content"))
		if err == nil && faults.Injected() == 0 {
			if k < 6 {
				t.Errorf("%d calls: nothing was shown", k)
			}
			break
		}
		names, lerr := disk.List("repo/a")
		must(t, lerr)
		if len(names) > 1 || len(names) == 1 && names[0] != "b" {
			t.Errorf("call %d fails: %v, left %v", k, err, names)
		}
		if open := disk.OpenFiles(); len(open) > 0 {
			t.Errorf("call %d fails: left open %v", k, open)
		}
	}
}

const killedEnv = "SILTSTONE_BACKUP_KILLED"

// killedRuns is what the killed process does: it makes backups of a store until it is killed.
func killedRuns(dir string) error {
	r, err := Open(Dir(filepath.Join(dir, "repo")), nil)
	if err != nil {
		return err
	}
	db, err := siltstone.Open(filepath.Join(dir, "db"), &siltstone.Options{MemoryLimit: 8 << 20, MemtableBytes: 64 << 10})
	if err != nil {
		return err
	}
	fmt.Println("begun")
	for n := 0; ; n++ {
		for i := range 20 {
			if err := db.Put(fmt.Appendf(nil, "k%d-%d", n, i), bytes.Repeat([]byte{byte(n)}, 3000)); err != nil {
				return err
			}
		}
		if _, err := r.Run(bg, db, nil); err != nil {
			return err
		}
	}
}

func TestAKilledProcessLeavesNothingThatIsListedAndNotWhole(t *testing.T) {
	if dir := os.Getenv(killedEnv); dir != "" {
		t.Fatal(killedRuns(dir))
	}
	lives := 4
	if *long {
		lives = 60
	}
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	backups := 0
	for range lives {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestAKilledProcess")
		cmd.Env = append(os.Environ(), killedEnv+"="+dir, "TMPDIR="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		if _, err := io.ReadFull(out, make([]byte, len("begun"))); err != nil {
			t.Fatal(err, cmd.Wait())
		}
		time.Sleep(time.Duration(50+rng.IntN(300)) * time.Millisecond)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && !status.Signaled() {
			t.Fatalf("it has ended by itself: %v", cmd.ProcessState)
		}
		r, err := Open(Dir(filepath.Join(dir, "repo")), nil)
		must(t, err)
		all, err := r.List(bg)
		must(t, err)
		if len(all) < backups {
			t.Errorf("%d backups, there were %d", len(all), backups)
		}
		backups = len(all)
		_, err = r.Verify(bg)
		must(t, err)
		if backups == 0 {
			continue
		}
		mem := vfs.NewMem()
		must(t, r.Restore(bg, "", "again", &siltstone.Options{FS: mem}))
		db, err := siltstone.Open("again", &siltstone.Options{FS: mem})
		must(t, err)
		must(t, errors.Join(db.Check(bg), db.Close()))
	}
	if backups == 0 {
		t.Error("no backup was made: nothing was shown")
	}
	// What was being written when a process was killed goes in time.
	for n := range 2 {
		r, err := Open(Dir(filepath.Join(dir, "repo")), &Options{Now: func() time.Time { return time.Now().Add(time.Duration(n) * 100 * time.Hour) }})
		must(t, err)
		_, err = r.Prune(bg, Keep{Last: 2})
		must(t, err)
	}
	must(t, filepath.WalkDir(filepath.Join(dir, "repo"), func(name string, _ fs.DirEntry, err error) error {
		if strings.Contains(name, partialMark) && !strings.Contains(name, "garbage") {
			t.Errorf("%s is left", name)
		}
		return err
	}))
	t.Logf("%d lives, %d backups, each whole", lives, backups)
}
