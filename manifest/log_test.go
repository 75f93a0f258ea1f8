package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

const dir = "db"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustParse(t testing.TB, text string) *Version {
	t.Helper()
	v, err := ParseVersion(text)
	must(t, err)
	return v
}

// table makes a table from its picture with its place in front: "L0 #9: 31[c-k]".
func table(t testing.TB, picture string) *Table {
	t.Helper()
	return mustParse(t, picture).Runs[0].Tables[0]
}

func newDir(t testing.TB, fsys vfs.FS) {
	t.Helper()
	must(t, fsys.MkdirAll(dir))
}

// someEdits are what the tests append, after the snapshot of firstState.
func someEdits(t testing.TB) []*Edit {
	return []*Edit{
		{Added: []*Table{table(t, "L0 #2: 12[d-m){size=77,puts=3}")}, LastSeq: 90, Clock: 1700, MinLog: 11},
		{Added: []*Table{table(t, "L6 #1: 13[a-z]")}, Removed: []base.FileNum{10, 12}, Nominated: []IDRange{{0, 7, 9}, {3, 1, 1}}},
		{FileLimit: 128, IDLimit: 4096, KeyspaceLimit: 2, Settled: []IDRange{{0, 8, 8}}, Clean: true},
	}
}

func firstState(t testing.TB) *State {
	s := NewState(0xDB)
	s, err := s.Apply(&Edit{Added: []*Table{table(t, "L6 #1: 10[a-k]")}, LastSeq: 50, Clock: 1600, FileLimit: 64, MinLog: 9})
	must(t, err)
	return s
}

// written is a directory with a manifest of firstState and someEdits. ends holds
// the offset behind the header and behind each record, states the text of the
// state after each record.
type written struct {
	fs     *vfs.Mem
	name   string
	data   []byte
	ends   []int64
	states []string
}

func writeSome(t testing.TB, edits ...*Edit) *written {
	t.Helper()
	w := &written{fs: vfs.NewMem(), name: dir + "/MANIFEST-000007", ends: []int64{headerSize}}
	newDir(t, w.fs)
	s := firstState(t)
	l, err := Create(w.fs, dir, 7, s)
	must(t, err)
	w.ends, w.states = append(w.ends, l.Size()), append(w.states, s.String())
	for _, e := range edits {
		s, err = s.Apply(e)
		must(t, err)
		must(t, l.Append(e))
		w.ends, w.states = append(w.ends, l.Size()), append(w.states, s.String())
	}
	must(t, l.Close())
	w.data = readAll(t, w.fs, w.name)[:l.Size()] // without what is reserved
	return w
}

func readAll(t testing.TB, fsys vfs.FS, name string) []byte {
	t.Helper()
	f, err := fsys.Open(name)
	must(t, err)
	defer f.Close()
	st, err := f.Stat()
	must(t, err)
	b := make([]byte, st.Size())
	_, err = io.ReadFull(io.NewSectionReader(f, 0, st.Size()), b)
	must(t, err)
	return b
}

func writeFile(t testing.TB, fsys vfs.FS, name string, data []byte) {
	t.Helper()
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	f, err := fsys.Create(name)
	must(t, err)
	_, err = f.Write(data)
	must(t, errors.Join(err, f.Close()))
}

// withoutZeros returns the length of data without the zeros at its end: space that
// was reserved.
func withoutZeros(data []byte) int64 { return int64(len(bytes.TrimRight(data, "\x00"))) }

// verdict says in one line what reading data gives: the number of records and
// of torn bytes, or where the damage is.
func (w *written) verdict(t testing.TB, data []byte) string {
	s, i, err := Read(bytes.NewReader(data), int64(len(data)), 7)
	var bad *base.CorruptionError
	switch {
	case errors.As(err, &bad):
		if bad.File != "MANIFEST-000007" {
			t.Errorf("corruption names %q", bad.File)
		}
		return fmt.Sprintf("corrupt at %d", bad.Offset)
	case err != nil:
		return err.Error()
	case i.Edits > len(w.states) || s.String() != w.states[i.Edits-1]:
		return fmt.Sprintf("wrong state after %d records", i.Edits)
	case i.End+i.Torn != max(i.End, withoutZeros(data)):
		return fmt.Sprintf("end %d, torn %d", i.End, i.Torn)
	}
	return fmt.Sprintf("%d records, %d torn", i.Edits, i.Torn)
}

func TestLoadGivesWhatWasAppended(t *testing.T) {
	w := writeSome(t, someEdits(t)...)
	s, i, err := Load(w.fs, dir)
	must(t, err)
	if s.String() != w.states[3] || i.Number != 7 || i.Edits != 4 || i.Torn != 0 || i.End != int64(len(w.data)) {
		t.Errorf("%+v\n%s, want\n%s", i, s, w.states[3])
	}
	if open := w.fs.OpenFiles(); len(open) != 0 {
		t.Errorf("left open: %v", open)
	}
}

func TestDamagedByteIsNeverAShortManifest(t *testing.T) {
	for edits := range 4 {
		w := writeSome(t, someEdits(t)[:edits]...)
		for i := range w.data {
			k := 0
			for int64(i) >= w.ends[k] {
				k++
			}
			want := fmt.Sprintf("corrupt at %d", append([]int64{0}, w.ends...)[k])
			for _, mask := range []byte{1, 0x80, 0xFF} {
				bad := bytes.Clone(w.data)
				bad[i] ^= mask
				if k == len(w.ends)-1 && edits > 0 {
					want = fmt.Sprintf("%d records, %d torn", edits, withoutZeros(bad)-w.ends[k-1])
				}
				if got := w.verdict(t, bad); got != want {
					t.Fatalf("%d edits, byte %d ^ %02x: %s, want %s", edits, i, mask, got, want)
				}
			}
		}
	}
}

func TestManifestCutAnywhere(t *testing.T) {
	w := writeSome(t, someEdits(t)...)
	for n := range len(w.data) + 1 {
		k := 0
		for k+1 < len(w.ends) && int64(n) >= w.ends[k+1] {
			k++
		}
		want := fmt.Sprintf("%d records, %d torn", k, max(w.ends[k], withoutZeros(w.data[:n]))-w.ends[k])
		if n < headerSize {
			want = "corrupt at 0"
		} else if k == 0 {
			want = "corrupt at 128"
		}
		if got := w.verdict(t, w.data[:n]); got != want {
			t.Fatalf("cut at %d: %s, want %s", n, got, want)
		}
	}
	for _, tail := range []string{"\x00", strings.Repeat("\x00", 4096), "garbage", string(w.data)} {
		want := fmt.Sprintf("4 records, %d torn", withoutZeros([]byte(tail)))
		if got := w.verdict(t, append(bytes.Clone(w.data), tail...)); got != want {
			t.Errorf("%d bytes behind the end: %s, want %s", len(tail), got, want)
		}
	}
}

func TestValidFrameWithANonsenseEditIsDamage(t *testing.T) {
	w := writeSome(t)
	for name, e := range map[string]*Edit{
		"removes what is not there": {Removed: []base.FileNum{99}},
		"adds what is there":        {Added: []*Table{table(t, "L6 #1: 10[x-y]")}},
		"overlaps":                  {Added: []*Table{table(t, "L6 #1: 30[b-c]")}},
	} {
		l, err := Create(w.fs, dir, 8, firstState(t))
		must(t, err)
		end := l.Size()
		must(t, l.Append(e))
		must(t, l.Close())
		var bad *base.CorruptionError
		if _, _, err = Load(w.fs, dir); !errors.As(err, &bad) || bad.Offset != end {
			t.Errorf("%s: %v, want corruption at %d", name, err, end)
		}
		must(t, w.fs.Remove(dir+"/MANIFEST-000008"))
	}
}

func TestRecordsAreNumberedWithoutGaps(t *testing.T) {
	w := writeSome(t)
	_, i, err := Load(w.fs, dir)
	must(t, err)
	for name, f := range map[string]wal.Frame{
		"gap":  {First: 3, Count: 1},
		"pair": {First: 2, Count: 2},
	} {
		writeFile(t, w.fs, w.name, w.data)
		file, err := w.fs.OpenWrite(w.name)
		must(t, err)
		frames := wal.NewFrameWriter(file, i.frameID, i.End, 1)
		must(t, errors.Join(frames.Append(f, AppendEdit(nil, &Edit{LastSeq: 99})), file.Close()))
		if got := w.verdict(t, readAll(t, w.fs, w.name)); got != fmt.Sprintf("corrupt at %d", i.End) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestDirectoryWithoutCurrentIsNew(t *testing.T) {
	fsys := vfs.NewMem()
	newDir(t, fsys)
	if _, _, err := Load(fsys, dir); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, base.ErrCorruption) {
		t.Errorf("got %v", err)
	}
}

func TestBytesOfCurrentAreFrozen(t *testing.T) {
	if got, want := currentContent(7), "MANIFEST-000007\nfb547ac225ac8043\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestBadCurrentIsDamage(t *testing.T) {
	good := currentContent(7)
	for name, content := range map[string]string{
		"empty": "", "zeros": strings.Repeat("\x00", len(good)), "cut": good[:len(good)-1],
		"longer": good + "x", "very long": strings.Repeat("M", 1<<16), "no checksum": "MANIFEST-000007\n",
		"another name":    strings.Replace(good, "7", "8", 1),
		"missing file":    currentContent(6),
		"escapes the dir": "../MANIFEST-000007\n0000000000000000\n",
	} {
		w := writeSome(t)
		writeFile(t, w.fs, dir+"/CURRENT", []byte(content))
		if _, _, err := Load(w.fs, dir); !errors.Is(err, base.ErrCorruption) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEmptyOrForeignManifestIsDamage(t *testing.T) {
	w := writeSome(t)
	for name, data := range map[string][]byte{"empty": {}, "zeros": make([]byte, 500), "header only": w.data[:headerSize]} {
		writeFile(t, w.fs, w.name, data)
		if _, _, err := Load(w.fs, dir); !errors.Is(err, base.ErrCorruption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Read(bytes.NewReader(w.data), int64(len(w.data)), 9); !errors.Is(err, base.ErrCorruption) {
		t.Errorf("manifest under another number: %v", err)
	}
}

func TestStoreOfALaterVersionIsRefused(t *testing.T) {
	w := writeSome(t)
	set := func(format, readers uint32) []byte {
		data := bytes.Clone(w.data)
		binary.LittleEndian.PutUint32(data[8:], format)
		binary.LittleEndian.PutUint32(data[12:], readers)
		binary.LittleEndian.PutUint64(data[headerSumAt:], xxhash.Sum64(data[:headerSumAt]))
		return data
	}
	data := set(5, 4)
	_, _, err := Read(bytes.NewReader(data), int64(len(data)), 7)
	if !errors.Is(err, base.ErrFormatTooNew) || !strings.Contains(err.Error(), "reads format 4") {
		t.Errorf("got %v", err)
	}
	data = set(5, 1) // later, but readable
	s, _, err := Read(bytes.NewReader(data), int64(len(data)), 7)
	if err != nil || s.FormatVersion != 5 {
		t.Errorf("got %v", err)
	}
	for _, v := range [][2]uint32{{0, 0}, {1, 0}} {
		data = set(v[0], v[1])
		if _, _, err := Read(bytes.NewReader(data), int64(len(data)), 7); !errors.Is(err, base.ErrCorruption) {
			t.Errorf("versions %v: %v", v, err)
		}
	}
}

func TestContinueAppendsToTheSameManifest(t *testing.T) {
	edits := someEdits(t)
	w := writeSome(t, edits[:2]...)
	_, i, err := Load(w.fs, dir)
	must(t, err)
	l, err := Continue(w.fs, dir, i)
	must(t, err)
	if l.Number() != 7 || l.Size() != i.End {
		t.Errorf("number %d, size %d", l.Number(), l.Size())
	}
	must(t, l.Append(edits[2]))
	must(t, errors.Join(l.Close(), l.Close()))
	if err := l.Append(edits[2]); err == nil {
		t.Error("append after close: no error")
	}
	whole := writeSome(t, edits...)
	s, i, err := Load(w.fs, dir)
	if err != nil || s.String() != whole.states[3] || i.Edits != 4 || i.Torn != 0 {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestTornManifestIsNotContinued(t *testing.T) {
	w := writeSome(t, someEdits(t)...)
	writeFile(t, w.fs, w.name, w.data[:len(w.data)-1])
	_, i, err := Load(w.fs, dir)
	must(t, err)
	if _, err := Continue(w.fs, dir, i); err == nil {
		t.Error("torn: no error")
	}
	writeFile(t, w.fs, w.name, w.data)
	if _, err := Continue(w.fs, dir, Info{Number: 7, End: i.End}); err == nil {
		t.Error("grown since it was loaded: no error")
	}
	if open := w.fs.OpenFiles(); len(open) != 0 {
		t.Errorf("left open: %v", open)
	}
}

func TestManifestNumbersAreNotReused(t *testing.T) {
	w := writeSome(t)
	if _, err := Create(w.fs, dir, 7, firstState(t)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got := w.verdict(t, readAll(t, w.fs, w.name)); got != "1 records, 0 torn" {
		t.Errorf("the manifest that was there: %s", got)
	}
}

func BenchmarkApply(b *testing.B) {
	s := manyTables(b, 10000)
	add := &Edit{Added: []*Table{table(b, "L0 #9000: 999999[a-b]")}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Apply(add); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	fsys := vfs.NewMem()
	newDir(b, fsys)
	l, err := Create(fsys, dir, 1, manyTables(b, 10000))
	must(b, err)
	must(b, l.Close())
	b.SetBytes(l.Size())
	for b.Loop() {
		if _, _, err := Load(fsys, dir); err != nil {
			b.Fatal(err)
		}
	}
}

// manyTables returns a state with n tables in the last run.
func manyTables(t testing.TB, n int) *State {
	e := &Edit{}
	for i := range n {
		tab := &Table{Num: base.FileNum(i + 1), Level: LastLevel, Run: 1}
		tab.ID = uint64(i + 1)
		tab.Smallest = fmt.Appendf(nil, "user:%012d", 2*i)
		tab.Largest = fmt.Appendf(nil, "user:%012d", 2*i+1)
		e.Added = append(e.Added, tab)
	}
	s, err := NewState(1).Apply(e)
	must(t, err)
	return s
}
