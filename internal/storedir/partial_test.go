package storedir

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write puts a file of the given content into a new partial directory.
func write(t *testing.T, p *Partial, name, content string) {
	t.Helper()
	must(t, p.Write(name, func(f vfs.File) error {
		_, err := f.Write([]byte(content))
		return err
	}))
}

func newPartial(t *testing.T, fsys vfs.FS) *Partial {
	t.Helper()
	p, err := NewPartial(Dir{fsys, "copy"})
	must(t, err)
	must(t, p.Make())
	return p
}

func TestMadeDirectoriesSurviveAPowerCut(t *testing.T) {
	disk := vfstest.NewDisk(1)
	at := Dir{disk, "a/b/c"}
	disk.OnOp(func(op vfstest.Op) {
		if op.Kind != vfstest.Mkdir {
			return
		}
		for _, o := range disk.Unsynced() {
			t.Errorf("%v while %v is not durable", op, o)
		}
	})
	must(t, at.Make())
	if left := disk.Unsynced(); len(left) > 0 {
		t.Errorf("not durable afterwards: %v", left)
	}
	must(t, at.Make()) // once more is fine
}

func TestAPublishedDirectoryIsThereWholeOrNot(t *testing.T) {
	disk := vfstest.NewDisk(1)
	rng := rand.New(rand.NewPCG(1, 1))
	published := false
	disk.OnOp(func(op vfstest.Op) {
		for img := range disk.Images(vfstest.P3, 20, rng) {
			names, err := img.List("copy")
			switch {
			case errors.Is(err, fs.ErrNotExist) && !published:
			case err != nil || len(names) != 2:
				t.Errorf("a power cut at %v leaves %v, %v", op, names, err)
			}
		}
	})
	p := newPartial(t, disk)
	write(t, p, "one", "1")
	write(t, p, "two", "22")
	must(t, p.Sync())
	must(t, p.Publish())
	if p.Path != "copy" {
		t.Errorf("the directory is %q", p.Path)
	}
	published = true
	must(t, disk.MkdirAll("something else"))
}

func TestNothingIsPublishedOverADirectory(t *testing.T) {
	mem := vfs.NewMem()
	p := newPartial(t, mem)
	write(t, p, "one", "1")
	must(t, mem.MkdirAll("copy"))
	if err := p.Publish(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("published over a directory: %v", err)
	}
	p.Discard()
	if _, err := mem.Stat(p.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was discarded is there: %v", err)
	}
}

func TestATableThatIsCopiedIsVerified(t *testing.T) {
	mem := vfs.NewMem()
	from := Dir{mem, "from"}
	must(t, from.Make())
	content := []byte("the bytes of a table")
	f, err := from.Create(base.FileTable, 7)
	must(t, err)
	_, err = f.Write(content)
	must(t, errors.Join(err, f.Close()))
	size, digest := uint64(len(content)), xxhash.Sum64(content)

	p := newPartial(t, mem)
	must(t, p.Table(context.Background(), from, 7, size, digest, false))
	p.Discard()
	p = newPartial(t, mem)
	var damage *base.CorruptionError
	if err := p.Table(context.Background(), from, 7, size, digest+1, false); !errors.As(err, &damage) {
		t.Errorf("a table with another digest: %v", err)
	}
	p.Discard()
	p = newPartial(t, mem)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Table(ended, from, 7, size, digest, false); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	p.Discard()
	names, err := mem.List(".")
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
