package base

import (
	"fmt"
	"strconv"
	"strings"
)

// FileNum numbers logs and tables, from one counter that is reserved in blocks
// in the manifest. Manifests have numbers of their own.
type FileNum uint64

// FileType says what a file of the store's directory is.
type FileType uint8

const (
	FileUnknown  FileType = iota
	FileLog               // 000012.wal
	FileTable             // 000013.sst
	FileManifest          // MANIFEST-000007
	FileCurrent           // CURRENT: which manifest holds
	FileLock              // LOCK
	FileBallast           // BALLAST: reserved space, never read
	FileTemp              // *.tmp: never read, deleted at open
)

// Filename returns the name of the file of the given type and number inside
// the store's directory.
func Filename(t FileType, n FileNum) string {
	switch t {
	case FileLog:
		return fmt.Sprintf("%06d.wal", uint64(n))
	case FileTable:
		return fmt.Sprintf("%06d.sst", uint64(n))
	case FileManifest:
		return fmt.Sprintf("MANIFEST-%06d", uint64(n))
	case FileCurrent:
		return "CURRENT"
	case FileLock:
		return "LOCK"
	case FileBallast:
		return "BALLAST"
	}
	return fmt.Sprintf("%06d.tmp", uint64(n))
}

// ParseFilename is the reverse of Filename. A name this version does not make
// is FileUnknown: such files are left alone.
func ParseFilename(name string) (FileType, FileNum) {
	switch name {
	case "CURRENT":
		return FileCurrent, 0
	case "LOCK":
		return FileLock, 0
	case "BALLAST":
		return FileBallast, 0
	}
	if s, ok := strings.CutPrefix(name, "MANIFEST-"); ok {
		return numbered(FileManifest, s)
	}
	if s, ok := strings.CutSuffix(name, ".wal"); ok {
		return numbered(FileLog, s)
	}
	if s, ok := strings.CutSuffix(name, ".sst"); ok {
		return numbered(FileTable, s)
	}
	if strings.HasSuffix(name, ".tmp") {
		return FileTemp, 0
	}
	return FileUnknown, 0
}

// numbered accepts exactly the digits Filename writes: at least six, no sign,
// no superfluous zeros.
func numbered(t FileType, digits string) (FileType, FileNum) {
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || fmt.Sprintf("%06d", n) != digits {
		return FileUnknown, 0
	}
	return t, FileNum(n)
}
