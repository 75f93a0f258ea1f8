package scripttest

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// diskCommands are about the disk under the stores.
var diskCommands = map[string]command{
	"fail":     {"CALL FILE [OPTION]...", fail},
	"heal":     {"", func(c *call) (string, error) { c.faults.Clear(); return "", nil }},
	"capacity": {"BYTES", func(c *call) (string, error) { c.disk.SetCapacity(size(c.words[0])); return "", nil }},
	"files":    {"DIR [NAME]", files},
	"flip":     {"FILE OFFSET", flip},
	"tear":     {"FILE BYTES", tear},
	"remove":   {"FILE", func(c *call) (string, error) { return silent(c.disk.Remove(c.file(c.words[0]))) }},
	"mkdir":    {"DIR", func(c *call) (string, error) { return silent(c.disk.MkdirAll(c.words[0])) }},
}

// fail makes the next call of a kind on files whose names have a part fail.
func fail(c *call) (string, error) {
	var kind vfstest.Kind
	for _, k := range vfstest.Kinds() {
		if k.String() == c.words[0] {
			kind = k
		}
	}
	if kind == 0 {
		mistake("a file system has no call %q", c.words[0])
	}
	f := vfstest.Fault{Match: vfstest.OnName(c.words[1], kind)}
	for _, word := range c.words[2:] {
		switch word {
		case "forever":
			f.Times = vfstest.Forever
		case "nospace":
			f.Err = vfs.ErrNoSpace
		case "half":
			f.Effect = vfstest.Half
		case "done":
			f.Effect = vfstest.Done
		case "forgotten":
			f.Effect = vfstest.Forgotten
		default:
			f.Nth = number[int64](word)
		}
	}
	c.faults.Inject(f)
	return "", nil
}

// files lists the files of a directory whose names contain a part.
func files(c *call) (string, error) {
	names, err := c.disk.List(c.words[0])
	if err != nil {
		return "", err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.Contains(n, c.arg(1)) })
	slices.Sort(names)
	return wrap(names), nil
}

// file returns the newest file that a word names: a directory, and a part of the
// name in it.
func (c *call) file(word string) string {
	dir, part, ok := strings.Cut(word, "/")
	names, err := c.disk.List(dir)
	if err != nil || !ok {
		mistake("%q names no file: %v", word, err)
	}
	slices.Sort(names)
	for _, n := range slices.Backward(names) {
		if strings.Contains(n, part) {
			return dir + "/" + n
		}
	}
	mistake("no file in %s is called %q", dir, part)
	return ""
}

// flip turns one bit of a file.
func flip(c *call) (string, error) {
	return silent(c.change(c.words[0], func(content []byte) {
		at := number[int](c.words[1])
		if at < 0 {
			at += len(content)
		}
		if at < 0 || at >= len(content) {
			mistake("the file has %d bytes", len(content))
		}
		content[at] ^= 1
	}))
}

// tear takes the last bytes that are not zeros from a file.
func tear(c *call) (string, error) {
	return silent(c.change(c.words[0], func(content []byte) {
		end := len(bytes.TrimRight(content, "\x00"))
		clear(content[max(0, end-number[int](c.words[1])):])
	}))
}

// change puts a file with other bytes in the place of one, durably. Whoever has
// the old one open goes on reading that.
func (c *call) change(word string, edit func(content []byte)) error {
	name := c.file(word)
	old, err := c.disk.Open(name)
	if err != nil {
		return err
	}
	st, err := old.Stat()
	if err != nil {
		return errors.Join(err, old.Close())
	}
	content := make([]byte, st.Size())
	if n, err := old.ReadAt(content, 0); n < len(content) {
		return errors.Join(err, old.Close())
	}
	edit(content)
	if err := errors.Join(old.Close(), c.disk.Remove(name)); err != nil {
		return err
	}
	f, err := c.disk.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	dir, _, _ := strings.Cut(name, "/")
	return errors.Join(err, f.Sync(), f.Close(), c.disk.SyncDir(dir))
}
