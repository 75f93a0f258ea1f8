package siltstone

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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
		if err := r.Check(bg); err != nil {
			t.Fatal(err)
		}
	}
	_, herr := db.Hash("h").Set("f", nil)
	for what, err := range map[string]error{
		"Put": db.Put([]byte("k"), nil), "Delete": db.Delete([]byte("k")), "DeleteRange": db.DeleteRange(Range{}),
		"Hash.Set": herr, "Flush": db.Flush(bg), "Compact": db.Compact(bg, Range{}),
		"Update": db.Update(bg, func(tx *Tx) error { return tx.Put([]byte("k"), nil) }),
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
		if err := db.Update(bg, func(tx *Tx) error { return numbered(tx, n) }); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, db)
	before := tree(t, dir)
	if keys := readWhole(t, dir); keys != 62 {
		t.Errorf("the readers see %d keys", keys)
	}
	if after := tree(t, dir); after != before {
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
		before := tree(t, k.dir)
		if keys := readWhole(t, k.dir); keys == 0 {
			t.Error("the readers see nothing")
		}
		if after := tree(t, k.dir); after != before {
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
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "A ") { // until something was acknowledged
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
	before := tree(t, dir)
	readWhole(t, dir)
	if tree(t, dir) != before {
		t.Error("a reader made something")
	}
}
