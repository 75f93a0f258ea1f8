package vfstest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/vfs"
)

// journal is a program that appends to files and remembers what it may rely on.
// Byte i of file k is pattern(k, i), so that any byte tells whether it belongs.
type journal struct {
	t     *testing.T
	d     *Disk
	files []*journalFile
}

type journalFile struct {
	f               vfs.File
	name            string
	written, synced int
	named           bool
}

func pattern(file, i int) byte { return byte(1 + (file*31+i*7)%250) }

// step does one random operation.
func (j *journal) step(rng *rand.Rand) {
	switch n := len(j.files); {
	case n == 0 || rng.IntN(8) == 0:
		name := fmt.Sprintf("f%d", n)
		f, err := j.d.Create(name)
		must(j.t, err)
		j.files = append(j.files, &journalFile{f: f, name: name})
	case rng.IntN(6) == 0:
		must(j.t, j.d.SyncDir("."))
		for _, f := range j.files {
			f.named = true
		}
	case rng.IntN(4) == 0:
		f := j.files[rng.IntN(n)]
		must(j.t, f.f.Sync())
		f.synced = f.written
	default:
		k := rng.IntN(n)
		f := j.files[k]
		p := make([]byte, 1+rng.IntN(1500))
		for i := range p {
			p[i] = pattern(k, f.written+i)
		}
		write(j.t, f.f, string(p))
		f.written += len(p)
		clear(p)
	}
}

// verify checks an image against what the program knows.
func (j *journal) verify(p Profile, img *Disk) {
	for k, f := range j.files {
		content, err := read(img, f.name)
		if err != nil {
			if f.named {
				j.t.Fatalf("%v: synced name %s: %v", p, f.name, err)
			}
			continue
		}
		if len(content) > f.written || f.named && len(content) < f.synced {
			j.t.Fatalf("%v: %s has %d bytes, %d were written and %d synced", p, f.name, len(content), f.written, f.synced)
		}
		if p == P1 && len(content) != f.synced || p == P0 && len(content) != f.written {
			j.t.Fatalf("%v: %s has %d bytes, %d were written and %d synced", p, f.name, len(content), f.written, f.synced)
		}
		for i := range len(content) {
			right := content[i] == pattern(k, i)
			hole := content[i] == 0 && p == P3
			if !right && !(i >= f.synced && (hole || p == P4 || p == P5)) {
				j.t.Fatalf("%v: byte %d of %s is %d; %d bytes are synced", p, i, f.name, content[i], f.synced)
			}
		}
	}
}

func TestSyncedBytesSurviveEveryCutAndOthersAreNeverInvented(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed.New(t), 0))
	for range 4 {
		d := NewDisk(rng.Uint64())
		j := &journal{t: t, d: d}
		for range 80 {
			j.step(rng)
			for _, p := range Profiles() {
				for range 3 {
					img := d.Image(p, rng)
					j.verify(p, img)
					if len(img.Unsynced()) != 0 || img.Hash() != img.Image(P1, nil).Hash() {
						t.Fatalf("%v: the image is not durable", p)
					}
				}
			}
		}
		for _, f := range j.files {
			must(t, f.f.Close())
		}
		if open := d.OpenFiles(); len(open) != 0 {
			t.Fatalf("open: %v", open)
		}
	}
}

func TestImageFollowsFromSeedAndHistory(t *testing.T) {
	run := func() (hashes []uint64) {
		d := NewDisk(7)
		rng := rand.New(rand.NewPCG(7, 7))
		j := &journal{t: t, d: d}
		for range 60 {
			j.step(rng)
			for _, p := range Profiles() {
				hashes = append(hashes, d.Image(p, rng).Hash())
			}
		}
		return hashes
	}
	if a, b := run(), run(); !slices.Equal(a, b) {
		t.Error("the same run gave other images")
	}
}

func TestImageAndDiskDoNotShareChanges(t *testing.T) {
	d := NewDisk(1)
	f, err := d.Create("a")
	must(t, err)
	write(t, f, "common")
	must(t, f.Sync())
	must(t, d.SyncDir("."))
	img := d.Image(P1, nil)
	g, err := img.OpenWrite("a")
	must(t, err)
	must(t, g.Truncate(0))
	write(t, g, "image")
	must(t, g.Sync())
	must(t, f.Truncate(3))
	write(t, f, "e")
	must(t, f.Sync())
	expect(t, img.Image(P1, nil), "a", "image")
	expect(t, d.Image(P1, nil), "a", "come")
}

func TestDiskContentAndItsHistoryAgree(t *testing.T) {
	d := NewDisk(3)
	rng := rand.New(rand.NewPCG(3, 3))
	j := &journal{t: t, d: d}
	for range 200 {
		j.step(rng)
	}
	if d.Hash() != d.Image(P0, nil).Hash() {
		t.Error("the history gives another content")
	}
	if draw(t, d) != draw(t, d.Image(P0, nil)) {
		t.Error("the files have another content")
	}
}

func TestHookSeesTheStateBeforeEachOperation(t *testing.T) {
	d := NewDisk(1)
	var trace []string
	d.OnOp(func(op Op) {
		trace = append(trace, fmt.Sprintf("%v: %s", op, draw(t, d.Image(P0, nil))))
		if draw(t, d) != draw(t, d.Image(P0, nil)) {
			t.Errorf("%v: the disk itself shows %s", op, draw(t, d))
		}
	})
	runScript(t, d, "create a, write a x, allocate a 2, sync a, rename a b, syncdir ., remove b")
	want := []string{
		"1 create a: -", "2 write a 0+1: a=", "3 allocate a 2: a=x", "4 sync a: a=x.",
		"5 rename a b: a=x.", "6 syncdir .: b=x.", "7 remove b: b=x.",
	}
	if !slices.Equal(trace, want) {
		t.Errorf("%q", trace)
	}
}

func TestPowerIsCutJustBeforeTheOperation(t *testing.T) {
	for n := int64(1); n <= 4; n++ {
		d := NewDisk(1)
		d.CutAt(n)
		f, err := d.Create("a")
		if err == nil {
			_, err = f.Write([]byte("x"))
		}
		if err == nil {
			err = f.Sync()
		}
		if err == nil {
			err = d.SyncDir(".")
		}
		if !errors.Is(err, ErrPowerCut) || d.Ops() != n-1 {
			t.Errorf("cut at %d: %v after %d operations", n, err, d.Ops())
		}
		if _, err := d.List("."); !errors.Is(err, ErrPowerCut) {
			t.Errorf("reading without power: %v", err)
		}
		if f != nil {
			must(t, f.Close())
		}
		want := []string{"-", "a=", "a=x", "a=x"}[n-1]
		if got := draw(t, d.Image(P0, nil)); got != want {
			t.Errorf("cut at %d: %s", n, got)
		}
	}
}

func TestImagesAreDifferentAndLimited(t *testing.T) {
	d := NewDisk(1)
	rng := rand.New(rand.NewPCG(1, 1))
	j := &journal{t: t, d: d}
	for range 60 {
		j.step(rng)
	}
	for _, p := range Profiles() {
		seen := map[uint64]bool{}
		for img := range d.Images(p, 25, rng) {
			if seen[img.Hash()] {
				t.Errorf("%v: the same image twice", p)
			}
			seen[img.Hash()] = true
		}
		if want := 25; p > P1 && len(seen) != want || p <= P1 && len(seen) != 1 {
			t.Errorf("%v: %d images", p, len(seen))
		}
	}
}

func TestHashTellsTreesApart(t *testing.T) {
	seen := map[uint64]string{}
	for _, script := range []string{
		"mkdir .", "create a", "create b", "create a, write a x", "create a, write a y", "mkdir a",
		"create a, create b", "create a, create b, write b x", "mkdir a, mkdir a/b", "mkdir a, mkdir b",
		"mkdir a, create a/b", "mkdir a, create b", "create a, truncate a 1",
	} {
		d := NewDisk(1)
		runScript(t, d, script)
		if other, twice := seen[d.Hash()]; twice {
			t.Errorf("%q and %q are one", script, other)
		}
		seen[d.Hash()] = script
	}
}

func BenchmarkImage(b *testing.B) {
	for _, p := range []Profile{P1, P3, P5} {
		b.Run(p.String(), func(b *testing.B) {
			d := NewDisk(1)
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range 20 {
				f, _ := d.Create(fmt.Sprint(i))
				f.Write(bytes.Repeat([]byte{1}, 8<<10))
				f.Sync()
				f.Write(bytes.Repeat([]byte{2}, 2<<10))
			}
			d.SyncDir(".")
			for b.Loop() {
				d.Image(p, rng).Hash()
			}
		})
	}
}
