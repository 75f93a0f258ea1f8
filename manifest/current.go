package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
)

// CURRENT is two lines: the name of the manifest that holds, and the xxhash64
// of that name in 16 hexadecimal digits.
//
//	MANIFEST-000007
//	fb547ac225ac8043
//
// It is replaced by renaming a whole, synced file over it. So it always names
// a manifest, and one whose snapshot is durable.
func currentContent(number base.FileNum) string {
	name := base.Filename(base.FileManifest, number)
	return fmt.Sprintf("%s\n%016x\n", name, xxhash.Sum64String(name))
}

// currentLimit is more than any CURRENT takes.
const currentLimit = 128

// writeTemp writes, beside CURRENT, the file that is to replace it, and returns its
// path.
func writeTemp(fsys vfs.FS, dir string, number base.FileNum) (temp string, err error) {
	temp = path.Join(dir, fmt.Sprintf("CURRENT-%06d.tmp", uint64(number)))
	f, err := fsys.Create(temp)
	if errors.Is(err, fs.ErrExist) { // of a start that was cut short; nobody reads it
		if err = fsys.Remove(temp); err == nil {
			f, err = fsys.Create(temp)
		}
	}
	if err != nil {
		return temp, err
	}
	_, err = io.WriteString(f, currentContent(number))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = fsys.Remove(temp)
	}
	return temp, err
}

// renameCurrent puts temp in CURRENT's place, durably. If it fails it may or may
// not have done so.
func renameCurrent(fsys vfs.FS, dir, temp string) error {
	if err := fsys.Rename(temp, path.Join(dir, base.Filename(base.FileCurrent, 0))); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// readCurrent returns the number of the manifest that holds. The error is
// fs.ErrNotExist, wrapped, if there is no CURRENT.
func readCurrent(fsys vfs.FS, dir string) (base.FileNum, error) {
	name := base.Filename(base.FileCurrent, 0)
	f, err := fsys.Open(path.Join(dir, name))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, currentLimit))
	if err != nil {
		return 0, err
	}
	manifest, _, _ := strings.Cut(string(b), "\n")
	t, number := base.ParseFilename(manifest)
	if t != base.FileManifest || string(b) != currentContent(number) {
		return 0, base.Corruptf(name, 0, "names no manifest, or does not verify")
	}
	return number, nil
}
