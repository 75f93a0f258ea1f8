package siltstone

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dirPicture is the listing of a directory with each file's length, time of last
// change and content.
func dirPicture(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v %d %v", filepath.Base(path), info.Mode(), info.Size(), info.ModTime())
		if !d.IsDir() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", content)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// readWhole opens the store in dir for reading, reads everything twice over and
// calls every kind of write.
func readWhole(t testing.TB, dir string) (keys int) {
	t.Helper()
	o := killedOptions()
	o.ReadOnly = true
	db, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(dir, o)
	if err != nil {
		t.Fatalf("a second reader beside the first: %v", err)
	}
	for _, r := range []*DB{db, second} {
		got, err := readAll(r)
		if err != nil {
			t.Fatal(err)
		}
		keys = len(got.lines)
		if err := r.Check(background); err != nil {
			t.Fatal(err)
		}
	}
	_, herr := db.Hash("h").Set("f", nil)
	for what, err := range map[string]error{
		"Put": db.Put([]byte("k"), nil), "Delete": db.Delete([]byte("k")), "DeleteRange": db.DeleteRange(Range{}),
		"Hash.Set": herr, "Flush": db.Flush(background), "Compact": db.Compact(background, Range{}),
		"Update": db.Update(background, func(tx *Tx) error { return tx.Put([]byte("k"), nil) }),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s in a read-only store: %v", what, err)
		}
	}
	mustClose(t, db)
	mustClose(t, second)
	return keys
}

func TestReadersLeaveAClosedStoreAsItIs(t *testing.T) {
	dir := t.TempDir() + "/db"
	db, err := Open(dir, killedOptions())
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 200; n++ {
		if err := db.Update(background, func(tx *Tx) error { return numbered(tx, n) }); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, db)
	before := dirPicture(t, dir)
	if keys := readWhole(t, dir); keys != 62 {
		t.Errorf("the readers see %d keys", keys)
	}
	if after := dirPicture(t, dir); after != before {
		t.Errorf("the directory was\n%.2000s\nand is\n%.2000s", before, after)
	}
}

func TestReadersLeaveAKilledStoreAsItIs(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	looked := 0
	for seed := uint64(1); looked < 4; seed++ {
		k := &killedStore{t: t, dir: t.TempDir(), rng: seeded(seed), writers: 2, done: []int{0, 0}}
		said := k.kill()
		logs, err := filepath.Glob(k.dir + "/*.wal")
		if err != nil {
			t.Fatal(err)
		}
		if len(logs) == 0 || !bytes.Contains(said, []byte("\nA ")) {
			continue // killed before there was anything to replay
		}
		before := dirPicture(t, k.dir)
		if keys := readWhole(t, k.dir); keys == 0 {
			t.Error("the readers see nothing")
		}
		if after := dirPicture(t, k.dir); after != before {
			t.Errorf("the directory was\n%.2000s\nand is\n%.2000s", before, after)
		}
		looked++
	}
}

func TestAReaderBesideAWriterIsToldItsProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childFirsts+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, out, 1); err != nil {
		t.Fatal(err)
	}
	// Nobody reads on: once the pipe is full the child stands still, the store open.
	for _, readOnly := range []bool{true, false} {
		o := killedOptions()
		o.ReadOnly = readOnly
		_, err = Open(dir, o)
		if want := fmt.Sprintf("process %d", cmd.Process.Pid); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
			t.Errorf("open beside the writer, read-only %v: %v, want it to name %q", readOnly, err, want)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if keys := readWhole(t, dir); keys == 0 {
		t.Error("the readers see nothing")
	}
}

func TestAWriterBesideAReaderIsRefused(t *testing.T) {
	dir := t.TempDir() + "/db"
	db, err := Open(dir, killedOptions())
	if err != nil {
		t.Fatal(err)
	}
	o := killedOptions()
	o.ReadOnly = true
	if _, err := Open(dir, o); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "this process") {
		t.Errorf("a reader beside a writer of the same process: %v", err)
	}
	mustClose(t, db)
	reader, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, killedOptions()); !errors.Is(err, ErrLocked) {
		t.Errorf("a writer beside a reader: %v", err)
	}
	mustClose(t, reader)
}

func TestReadOnlyOpenMakesNoStore(t *testing.T) {
	dir := t.TempDir()
	o := killedOptions()
	o.ReadOnly = true
	for _, name := range []string{dir, dir + "/missing/db"} {
		if _, err := Open(name, o); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("read-only open of %s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the directory holds %v, %v", left, err)
	}
}

func TestAReaderNeedsNoLockFile(t *testing.T) {
	dir := t.TempDir() + "/db"
	db, err := Open(dir, killedOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("k"), nil); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	if err := os.Remove(dir + "/LOCK"); err != nil {
		t.Fatal(err)
	}
	before := dirPicture(t, dir)
	readWhole(t, dir)
	if dirPicture(t, dir) != before {
		t.Error("a reader made something")
	}
}
