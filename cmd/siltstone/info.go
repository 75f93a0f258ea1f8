package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/spf13/cobra"
)

// info is what a directory shows without being opened as a store: no lock is taken, so it
// can be read beside a writer.
type info struct {
	Dir      string
	State    *manifest.State
	Manifest manifest.Info
	Files    []fileKind
	Free     int64
	Holder   string // of the lock; empty: nobody
}

// fileKind is the files of one kind.
type fileKind struct {
	Kind  string
	Count int
	Bytes int64
}

func (t *tool) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "info DIR",
		GroupID: groupLook,
		Short:   "What a directory is, without opening it as a store",
		Long: `Show what a directory is: format, identity, who has it open, its files, and its
tables by level.

Nothing is opened for writing and no lock is taken, so info works beside a live
writer. What it shows is the state of the last flush or merge.`,
		Example: `  siltstone info /var/lib/app/store
  siltstone info /var/lib/app/store --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			i, err := readInfo(args[0])
			if err != nil {
				return err
			}
			if t.json {
				return i.writeJSON(t.out)
			}
			i.write(t.out)
			return nil
		},
	}
}

// readInfo reads the manifest and lists the directory. A writer may begin another manifest
// meanwhile and remove the old one, so a file that has gone is looked for again.
func readInfo(dir string) (i *info, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	i = &info{Dir: abs, Free: vfs.OS.Free(dir), Holder: lockHolder(dir)}
	for range 3 {
		i.State, i.Manifest, err = manifest.Load(vfs.OS, filepath.ToSlash(dir))
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, noStore(err, dir)
	}
	i.Files, err = listFiles(dir)
	return i, err
}

// lockHolder returns who has the store open, or nothing.
func lockHolder(dir string) string {
	lock, err := vfs.OS.Lock(filepath.ToSlash(filepath.Join(dir, "LOCK")), false, false)
	if err == nil {
		_ = lock.Close() // it was taken for this question only
		return ""
	}
	if !errors.Is(err, vfs.ErrLockHeld) {
		return ""
	}
	_, by, _ := strings.Cut(err.Error(), vfs.ErrLockHeld.Error()+" by ")
	return by
}

// listFiles counts the files of a directory by kind.
func listFiles(dir string) ([]fileKind, error) {
	kinds := []fileKind{{Kind: "tables"}, {Kind: "logs"}, {Kind: "manifests"}, {Kind: "ballast"}, {Kind: "other"}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		at := 4
		switch name := e.Name(); {
		case name == "LOCK" || name == "CURRENT":
			continue
		case strings.HasSuffix(name, ".sst"):
			at = 0
		case strings.HasSuffix(name, ".wal"):
			at = 1
		case strings.HasPrefix(name, "MANIFEST-"):
			at = 2
		case name == "BALLAST":
			at = 3
		}
		kinds[at].Count++
		if stat, err := e.Info(); err == nil { // else it has been removed meanwhile
			kinds[at].Bytes += stat.Size()
		}
	}
	return kinds, nil
}

// idText returns the id of a store as it is shown.
func idText(id uint64) string { return fmt.Sprintf("%016x", id) }

// closed says how the store was left.
func (i *info) closed() string {
	switch {
	case i.Holder != "":
		return "open, by " + i.Holder
	case i.State.Clean:
		return "closed"
	}
	return "not closed: the next open replays its logs"
}

func (i *info) write(o *output) {
	s := i.State
	var b table
	b.add("directory", i.Dir)
	b.add("state", i.closed())
	b.add("format", strconv.Itoa(int(s.FormatVersion)))
	b.add("id", idText(s.DBID))
	if s.Parent != 0 {
		b.add("checkpoint of", idText(s.Parent))
	}
	b.add("sequence", count(uint64(s.LastSeq)))
	b.add("clock", fmt.Sprintf("%s%s", moment(time.UnixMilli(s.Clock)), clockRemark(s.Clock)))
	b.add("manifest", fmt.Sprintf("%06d, %s", i.Manifest.Number, counted(i.Manifest.Edits, "edit")))
	if i.Manifest.Torn > 0 {
		b.add("", fmt.Sprintf("its end was cut short by a crash: %d bytes, nothing lost", i.Manifest.Torn))
	}
	if i.Free >= 0 {
		b.add("disk free", size(i.Free))
	}
	o.table(b)
	o.printf("\n")
	files := table{right: []int{1, 2}}
	files.add("files", "count", "size")
	for _, f := range i.Files {
		if f.Count > 0 {
			files.add(f.Kind, count(f.Count), size(f.Bytes))
		}
	}
	o.table(files)
	if len(s.Version.Runs) == 0 {
		return
	}
	o.printf("\n")
	runs := table{right: []int{0, 1, 2, 3, 4, 5}}
	runs.add("level", "run", "tables", "size", "puts", "deletes")
	for _, r := range s.Version.Runs {
		var puts, deletes uint64
		for _, tab := range r.Tables {
			puts += tab.Puts
			deletes += tab.Deletes + tab.RangeDeletes
		}
		runs.add(strconv.Itoa(int(r.Level)), count(r.Age), count(len(r.Tables)), size(r.Size()), count(puts), count(deletes))
	}
	o.table(runs)
}

// clockRemark says whether the store's clock, in milliseconds, is ahead of this machine's.
func clockRemark(ms int64) string {
	if ahead := time.Until(time.UnixMilli(ms)); ahead > time.Minute {
		return ", " + lasting(ahead) + " ahead"
	}
	return ""
}

func (i *info) writeJSON(o *output) error {
	s, j := i.State, o.object()
	j.Text("dir", i.Dir)
	j.Text("holder", i.Holder)
	j.Bool("clean", s.Clean)
	j.Int("format", int64(s.FormatVersion))
	j.Text("id", idText(s.DBID))
	if s.Parent != 0 {
		j.Text("parent", idText(s.Parent))
	}
	j.Uint("sequence", uint64(s.LastSeq))
	j.Int("clock", s.Clock)
	j.Uint("manifest", uint64(i.Manifest.Number))
	j.Int("edits", int64(i.Manifest.Edits))
	j.Int("torn", i.Manifest.Torn)
	j.Int("free", i.Free)
	j.List("files")
	for _, f := range i.Files {
		j.Item()
		j.Text("kind", f.Kind)
		j.Int("count", int64(f.Count))
		j.Int("bytes", f.Bytes)
		j.EndItem()
	}
	j.End()
	j.List("runs")
	for _, r := range s.Version.Runs {
		j.Item()
		j.Int("level", int64(r.Level))
		j.Uint("run", r.Age)
		j.Int("tables", int64(len(r.Tables)))
		j.Uint("bytes", r.Size())
		j.EndItem()
	}
	j.End()
	return o.write()
}
