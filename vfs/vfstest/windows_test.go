package vfstest

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
)

// inUse asserts that a call was refused and has changed nothing.
func inUse(t *testing.T, w *Windows, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrInUse) {
		t.Errorf("%s: %v", what, err)
	}
	if r := w.Refused(); len(r) == 0 || r[len(r)-1] != what {
		t.Errorf("refused: %q, want %q at the end", r, what)
	}
}

func TestOpenFileCannotBeRemovedOrRenamedOnWindows(t *testing.T) {
	for name, open := range map[string]func(w *Windows) (io.Closer, error){
		"Create":    func(w *Windows) (io.Closer, error) { return w.Create("d/new") },
		"Open":      func(w *Windows) (io.Closer, error) { return w.Open("d/f") },
		"OpenWrite": func(w *Windows) (io.Closer, error) { return w.OpenWrite("./d//f") },
		"Lock":      func(w *Windows) (io.Closer, error) { return w.Lock("d/LOCK", true, true) },
	} {
		t.Run(name, func(t *testing.T) {
			w := NewWindows(NewDisk(1))
			must(t, w.MkdirAll("d"))
			put(t, w, "d/f", "f")
			put(t, w, "d/other", "other")
			file := map[string]string{"Create": "d/new", "Lock": "d/LOCK"}[name]
			if file == "" {
				file = "d/f"
			}
			first, err := open(w)
			must(t, err)
			inUse(t, w, "remove "+file, w.Remove(file))
			inUse(t, w, "rename "+file, w.Rename(file, "d/g"))
			inUse(t, w, "rename "+file, w.Rename("d/other", file))
			inUse(t, w, "rename d", w.Rename("d", "e"))
			must(t, w.Link(file, "d/link"))
			inUse(t, w, "remove d/link", w.Remove("d/link"))
			expect(t, w, "d/other", "other")
			must(t, first.Close())
			_ = first.Close() // counts once
			if len(w.Refused()) != 5 {
				t.Errorf("refused: %q", w.Refused())
			}
			must(t, w.Rename("d", "e"))
			must(t, w.Rename("e/link", "e/again"))
			must(t, w.Remove("e/again"))
			must(t, w.Remove("e"+file[1:]))
			names(t, w, "e", map[bool][]string{true: {"other"}, false: {"f", "other"}}[file == "d/f"]...)
		})
	}
}

func TestFileIsInUseOnWindowsUntilItsLastHandleIsClosed(t *testing.T) {
	w := NewWindows(NewDisk(1))
	put(t, w, "f", "f")
	var open []vfs.File
	for range 3 {
		f, err := w.Open("f")
		must(t, err)
		open = append(open, f)
	}
	for _, f := range open {
		inUse(t, w, "remove f", w.Remove("f"))
		must(t, f.Close())
	}
	must(t, w.Remove("f"))
	put(t, w, "f", "another")
	must(t, w.Remove("f"))
}

func TestFileRenamedOnWindowsIsKnownByItsNewName(t *testing.T) {
	w := NewWindows(NewDisk(1))
	must(t, w.MkdirAll("a"))
	put(t, w, "a/f", "f")
	must(t, w.Link("a/f", "a/g"))
	must(t, w.Rename("a", "b"))
	f, err := w.Open("b/g")
	must(t, err)
	inUse(t, w, "remove b/f", w.Remove("b/f"))
	put(t, w, "b/h", "h")
	must(t, w.Remove("b/h"))
	must(t, f.Close())
	must(t, w.Remove("b/f"))
	expect(t, w, "b/g", "f")
}

func ExampleWindows() {
	w := NewWindows(vfs.NewMem())
	f, _ := w.Create("log")
	fmt.Println(w.Remove("log"))
	_ = f.Close()
	fmt.Println(w.Remove("log"), w.Refused())
	// Output:
	// remove log: vfstest: the file is open
	// <nil> [remove log]
}
