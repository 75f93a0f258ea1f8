package readstate

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/sstable"
	"github.com/siltstonedb/siltstone/vfs"
)

// countedFS counts the reads of its files.
type countedFS struct {
	vfs.FS
	reads atomic.Int64
}

func (c *countedFS) Open(name string) (vfs.File, error) {
	f, err := c.FS.Open(name)
	return countedFile{f, c}, err
}

type countedFile struct {
	vfs.File
	of *countedFS
}

func (f countedFile) ReadAt(p []byte, off int64) (int, error) {
	f.of.reads.Add(1)
	return f.File.ReadAt(p, off)
}

// writeRun writes tables of 2 MB that follow each other.
func writeRun(t *testing.T, fsys vfs.FS, dir storedir.Dir, n int) (tables []*manifest.Table) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	value := make([]byte, 1000)
	for num := range n {
		f, err := fsys.Create(dir.Name(base.FileTable, base.FileNum(num+1)))
		if err != nil {
			t.Fatal(err)
		}
		w := sstable.NewWriter(f, sstable.WriterOptions{ID: uint64(num + 1)})
		for i := range 2000 {
			for j := range value {
				value[j] = byte(rng.Uint32())
			}
			e := iterator.Entry{Key: fmt.Appendf(nil, "k%d-%04d", num, i), Trailer: base.Trailer{Seq: 1, Attr: base.MakeAttr(base.KindPut, 0, false)}, Value: value}
			if err := w.Add(&e); err != nil {
				t.Fatal(err)
			}
		}
		p, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, &manifest.Table{Num: base.FileNum(num + 1), TableProperties: p})
	}
	return tables
}

// A walk over a run waits for the disk as often as one over a single table of that size.
func TestAWalkOverARunReadsOnAsFarAheadFromTableToTable(t *testing.T) {
	fsys := &countedFS{FS: vfs.NewMem()}
	if err := fsys.MkdirAll("db"); err != nil {
		t.Fatal(err)
	}
	dir, err := storedir.At(fsys, "db")
	if err != nil {
		t.Fatal(err)
	}
	v := &manifest.Version{Runs: []manifest.Run{{Age: 1, Tables: writeRun(t, fsys, dir, 4)}}}
	for _, backward := range []bool{false, true} {
		c := NewTables(dir, 100, cache.New(64<<20), func() {}) // nothing is cached
		runs, _ := c.acquire(v)
		for _, table := range runs[0].Tables { // what opening reads does not count
			if _, err := table.Get(); err != nil {
				t.Fatal(err)
			}
		}
		var s RunIter
		it := s.Init(&runs[0], new(sstable.Iter), sstable.IterOptions{})
		first, move := it.First, it.Next
		if backward {
			first, move = it.Last, it.Prev
		}
		fsys.reads.Store(0)
		var reads []int64
		for n, e := 1, first(); e != nil; n, e = n+1, move() {
			if n%2000 == 0 {
				reads = append(reads, fsys.reads.Swap(0))
			}
		}
		if err := it.Close(); err != nil || len(reads) != 4 {
			t.Fatalf("%d tables, %v", len(reads), err)
		}
		c.Close()
		for _, n := range reads[1:] {
			if n > reads[0]-3 {
				t.Errorf("backward %v: reads of each table: %v", backward, reads)
				break
			}
		}
	}
}
