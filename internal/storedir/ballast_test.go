package storedir

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
)

func TestBallastThatWasGivenIsNotTakenBackWhileAStepUsesIt(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetCapacity(1 << 20)
	dir, err := At(mem, "db")
	if err == nil {
		err = dir.Make()
	}
	if err != nil {
		t.Fatal(err)
	}
	woken := 0
	b := NewBallast(dir, func() { woken++ })
	const want = 256 << 10
	if !b.Keep(want) || b.Bytes() != want {
		t.Fatalf("%d bytes are kept of %d", b.Bytes(), want)
	}
	tries := 0
	err = b.Try(func() error {
		if tries++; tries == 1 {
			return vfs.ErrNoSpace
		}
		if b.Keep(want) || b.Bytes() != 0 {
			t.Errorf("%d bytes are kept while what was given is used", b.Bytes())
		}
		if _, err := mem.Stat(dir.Name(base.FileBallast, 0)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file is there: %v", err)
		}
		return nil
	})
	if err != nil || tries != 2 || woken != 1 {
		t.Errorf("%d tries, woken %d times: %v", tries, woken, err)
	}
	if !b.Keep(want) {
		t.Error("nothing is kept once the step has ended")
	}
}
