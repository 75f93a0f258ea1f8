package vfstest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
)

// The legal images of tiny scripts, all of them, drawn as "name=content", "." for
// a zero byte, "-" for an empty disk, " | " between images.
var cuts = []struct {
	name   string
	script string
	p0     string
	p1     string
	p2     string
	p3     string
}{{
	name:   "a synced file without a synced name is not there",
	script: "create a, write a hi, sync a",
	p0:     "a=hi",
	p1:     "-",
	p2:     "- | a=hi",
	p3:     "- | a=hi",
}, {
	name:   "a synced name without synced bytes is an empty file",
	script: "create a, write a hi, syncdir .",
	p0:     "a=hi",
	p1:     "a=",
	p2:     "a= | a=hi",
	p3:     "a= | a=hi",
}, {
	name:   "both synced, nothing can be lost",
	script: "create a, write a hi, sync a, syncdir .",
	p0:     "a=hi",
	p1:     "a=hi",
	p2:     "a=hi",
	p3:     "a=hi",
}, {
	name:   "appends get lost from the end, or from the middle",
	script: "create a, syncdir ., write a x, sync a, write a y, write a z",
	p0:     "a=xyz",
	p1:     "a=x",
	p2:     "a=x | a=xy | a=xyz",
	p3:     "a=x | a=x.z | a=xy | a=xyz",
}, {
	name:   "a new name can be there without the bytes, and they without it",
	script: "create t, write t new, rename t a",
	p0:     "a=new",
	p1:     "-",
	p2:     "- | a= | a=new | t= | t=new",
	p3:     "- | a= | a=new | t= | t=new",
}, {
	name:   "replacing by rename shows the old or the new",
	script: "create a, write a old, sync a, create t, write t new, sync t, syncdir ., rename t a",
	p0:     "a=new",
	p1:     "a=old t=new",
	p2:     "a=new | a=old t=new",
	p3:     "a=new | a=old t=new",
}, {
	name:   "replacing without a sync of the bytes shows nothing of either",
	script: "create a, write a old, sync a, create t, syncdir ., write t new, rename t a",
	p0:     "a=new",
	p1:     "a=old t=",
	p2:     "a= | a=new | a=old t= | a=old t=new",
	p3:     "a= | a=new | a=old t= | a=old t=new",
}, {
	name:   "a removal can be there without the rename before it",
	script: "create a, create b, syncdir ., rename a c, remove b",
	p0:     "c=",
	p1:     "a= b=",
	p2:     "a= b= | b= c= | c=",
	p3:     "a= | a= b= | b= c= | c=",
}, {
	name:   "a removed file can come back",
	script: "create a, write a x, sync a, syncdir ., remove a",
	p0:     "-",
	p1:     "a=x",
	p2:     "- | a=x",
	p3:     "- | a=x",
}, {
	name:   "a name can be removed and its next file not made",
	script: "create a, write a x, sync a, syncdir ., remove a, create a, write a y, sync a",
	p0:     "a=y",
	p1:     "a=x",
	p2:     "- | a=x | a=y",
	p3:     "- | a=x | a=y",
}, {
	name:   "a move between directories can show both names or none",
	script: "mkdir d, create a, syncdir ., rename a d/a",
	p0:     "d/ d/a=",
	p1:     "a= d/",
	p2:     "a= d/ | a= d/ d/a= | d/ d/a=",
	p3:     "a= d/ | a= d/ d/a= | d/ | d/ d/a=",
}, {
	name:   "a directory is a name in its parent",
	script: "mkdir d, create d/a, syncdir d",
	p0:     "d/ d/a=",
	p1:     "-",
	p2:     "- | d/ d/a=",
	p3:     "- | d/ d/a=",
}, {
	name:   "a link is a name",
	script: "create a, write a x, sync a, syncdir ., link a b, remove a",
	p0:     "b=x",
	p1:     "a=x",
	p2:     "a=x | a=x b=x | b=x",
	p3:     "- | a=x | a=x b=x | b=x",
}, {
	name:   "truncation is a change like writing",
	script: "create a, write a abc, sync a, syncdir ., truncate a 1, write a Z",
	p0:     "a=aZ",
	p1:     "a=abc",
	p2:     "a=a | a=aZ | a=abc",
	p3:     "a=a | a=aZ | a=aZc | a=abc",
}, {
	name:   "allocation is a change of the length",
	script: "create a, syncdir ., allocate a 3, write a x",
	p0:     "a=x..",
	p1:     "a=",
	p2:     "a= | a=... | a=x..",
	p3:     "a= | a=... | a=x | a=x..",
}, {
	name:   "bytes written to an allocated and synced file leave zeros",
	script: "create a, syncdir ., allocate a 3, sync a, write a x, write a y",
	p0:     "a=xy.",
	p1:     "a=...",
	p2:     "a=... | a=x.. | a=xy.",
	p3:     "a=... | a=.y. | a=x.. | a=xy.",
}, {
	name:   "a lying drive syncs nothing",
	script: "create a, syncdir ., lie, write a x, sync a, create b, syncdir .",
	p0:     "a=x b=",
	p1:     "a=",
	p2:     "a= | a= b= | a=x | a=x b=",
	p3:     "a= | a= b= | a=x | a=x b=",
}}

func TestPowerCutLeavesExactlyTheLegalImages(t *testing.T) {
	for _, tt := range cuts {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDisk(1)
			runScript(t, d, tt.script)
			for p, want := range map[Profile]string{P0: tt.p0, P1: tt.p1, P2: tt.p2, P3: tt.p3} {
				if got := images(t, d, p); got != want {
					t.Errorf("%s\n%v: %s\nwant %s", tt.script, p, got, want)
				}
			}
		})
	}
}

// images draws what both ways to images find.
func images(t *testing.T, d *Disk, p Profile) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(p)))
	found := map[string]bool{}
	for img := range d.Images(p, 1000, rng) {
		found[draw(t, img)] = true
	}
	drawn := map[string]bool{}
	for range 200 {
		drawn[draw(t, d.Image(p, rng))] = true
	}
	if !maps.Equal(found, drawn) {
		t.Errorf("%v: Images finds %v, Image %v", p, found, drawn)
	}
	all := []string{}
	for s := range found {
		all = append(all, s)
	}
	slices.Sort(all)
	return strings.Join(all, " | ")
}

func draw(t *testing.T, d vfs.FS) string {
	t.Helper()
	if s := strings.TrimSpace(drawDir(t, d, "")); s != "" {
		return s
	}
	return "-"
}

func drawDir(t *testing.T, d vfs.FS, dir string) string {
	t.Helper()
	list, err := d.List("/" + dir)
	must(t, err)
	slices.Sort(list)
	var b strings.Builder
	for _, name := range list {
		name = dir + name
		info, err := d.Stat(name)
		must(t, err)
		if info.IsDir() {
			fmt.Fprintf(&b, "%s/ %s", name, drawDir(t, d, name+"/"))
			continue
		}
		content, err := read(d, name)
		must(t, err)
		fmt.Fprintf(&b, "%s=%s ", name, strings.ReplaceAll(content, "\x00", "."))
	}
	return b.String()
}

// runScript runs commands separated by commas. Files stay open under the name
// they were created by.
func runScript(t *testing.T, fsys vfs.FS, script string) {
	t.Helper()
	open := map[string]vfs.File{}
	for _, line := range strings.Split(script, ", ") {
		word := append(strings.Fields(line), "", "")
		f, arg := open[word[1]], word[2]
		size, _ := strconv.ParseInt(arg, 10, 64)
		var err error
		switch word[0] {
		case "create":
			open[word[1]], err = fsys.Create(word[1])
		case "write":
			_, err = f.Write([]byte(arg))
		case "sync":
			err = f.Sync()
		case "truncate":
			err = f.Truncate(size)
		case "allocate":
			err = f.Allocate(size)
		case "zero": // from the position on
			err = f.(*diskFile).Zero(f.(*diskFile).pos, size)
		case "syncdir":
			err = fsys.SyncDir(word[1])
		case "rename":
			err = fsys.Rename(word[1], arg)
		case "link":
			err = fsys.Link(word[1], arg)
		case "remove":
			err = fsys.Remove(word[1])
		case "mkdir":
			err = fsys.MkdirAll(word[1])
		case "lie":
			fsys.(*Disk).Lie(true)
		default:
			t.Fatalf("unknown command %q", line)
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
}

func TestSizeBeforeDataLeavesZerosOrStaleContent(t *testing.T) {
	const old = "create old, write old STALE, sync old, create a, write a kept, sync a, syncdir ., remove old, syncdir ., "
	for _, tt := range []struct{ script, want string }{
		{"write a new", "a=kept | a=kept... | a=keptE.. | a=keptnew"},
		{"truncate a 1, write a new", "a=k | a=k... | a=kTAL | a=kept | a=knew"},
		// What was there before the cut keeps its bytes.
		{"allocate a 7, sync a, write a new", "a=kept... | a=keptnew"},
		{"allocate a 7, write a n", "a=kept | a=kept... | a=keptE.. | a=keptn.."},
	} {
		d := NewDisk(1)
		runScript(t, d, old+tt.script)
		found := map[string]bool{}
		for img := range d.Images(P4, 100, rand.New(rand.NewPCG(1, 1))) {
			found[draw(t, img)] = true
		}
		if got := strings.Join(slices.Sorted(maps.Keys(found)), " | "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.script, got, tt.want)
		}
	}
}

func TestZerosAreAWriteOfTheirOwn(t *testing.T) {
	const old = "create old, write old STALE, sync old, create a, write a kept, sync a, syncdir ., remove old, syncdir ., "
	for _, tt := range []struct {
		p            Profile
		script, want string
	}{
		{P1, "allocate a 9, zero a 9, sync a", "a=kept....."},
		{P3, "allocate a 9, sync a, zero a 9, write a new", "a=kept..... | a=keptnew.."},
		// Space that is not durable may show another file where zeros were lost.
		{P4, "allocate a 6, zero a 6", "a=kept | a=kept.. | a=keptE."},
		{P4, "allocate a 6, zero a 6, sync a", "a=kept.."},
	} {
		d := NewDisk(1)
		runScript(t, d, old+tt.script)
		found := map[string]bool{}
		for img := range d.Images(tt.p, 100, rand.New(rand.NewPCG(1, 1))) {
			found[draw(t, img)] = true
		}
		if got := strings.Join(slices.Sorted(maps.Keys(found)), " | "); got != tt.want {
			t.Errorf("%v of %s: %s, want %s", tt.p, tt.script, got, tt.want)
		}
	}
}

func TestTornWriteIsSplitAtSectorsAndAnywhere(t *testing.T) {
	d := NewDisk(1)
	f, err := d.Create("a")
	must(t, err)
	must(t, d.SyncDir("."))
	write(t, f, strings.Repeat("s", 700))
	must(t, f.Sync())
	write(t, f, strings.Repeat("n", 10000))
	var sector, block, anywhere, noise bool
	rng := rand.New(rand.NewPCG(2, 2))
	for range 400 {
		content, err := read(d.Image(P5, rng), "a")
		must(t, err)
		if content[:700] != strings.Repeat("s", 700) {
			t.Fatal("synced bytes of the sector are damaged")
		}
		switch end := len(content); {
		case end == 10700 || end == 700:
		case end%4096 == 0:
			block = true
		case end%512 == 0:
			sector = true
		default:
			anywhere = true
		}
		noise = noise || strings.Trim(content[700:], "n\x00") != ""
	}
	if !sector || !block || !anywhere || !noise {
		t.Errorf("sector %v, block %v, anywhere %v, noise %v", sector, block, anywhere, noise)
	}
}
