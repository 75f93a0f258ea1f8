package vfstest

import (
	"fmt"
	"strings"
)

// Op is one call of a file system.
type Op struct {
	// N numbers the calls from 1: for Disk those that change it, for Faults all.
	N    int64
	Kind Kind
	Name string // of the file or directory, as its caller gave it
	To   string // the second name of Rename and Link
	Off  int64  // of Read, Write and Zero; the size for Truncate and Allocate
	Len  int    // bytes of Read, Write and Zero
}

// String returns the call as one line, such as "12 write db/000001.log 100+20".
func (o Op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s", o.N, o.Kind, o.Name)
	switch o.Kind {
	case Rename, Link:
		fmt.Fprintf(&b, " %s", o.To)
	case Read, Write, Zero:
		fmt.Fprintf(&b, " %d+%d", o.Off, o.Len)
	case Truncate, Allocate:
		fmt.Fprintf(&b, " %d", o.Off)
	}
	return b.String()
}

// Kind says which call an Op is.
type Kind uint8

// The calls of vfs.FS, vfs.File and vfs.Zeroer. Read is File.ReadAt, Stat is that of both.
// Free is not counted: it cannot fail.
const (
	Create Kind = iota + 1
	Open
	OpenWrite
	Read
	Write
	Sync
	SyncDir
	Rename
	Remove
	Link
	Truncate
	Allocate
	Zero
	List
	Stat
	Lock
	Close
	Mkdir
	kinds
)

var kindNames = [kinds]string{
	Create: "create", Open: "open", OpenWrite: "openwrite", Read: "read", Write: "write",
	Sync: "sync", SyncDir: "syncdir", Rename: "rename", Remove: "remove", Link: "link",
	Truncate: "truncate", Allocate: "allocate", Zero: "zero", List: "list", Stat: "stat", Lock: "lock",
	Close: "close", Mkdir: "mkdir",
}

// Kinds returns all kinds, so that a test can go through them.
func Kinds() []Kind {
	all := make([]Kind, 0, kinds-1)
	for k := Create; k < kinds; k++ {
		all = append(all, k)
	}
	return all
}

// String returns the name in lower case.
func (k Kind) String() string {
	if k == 0 || k >= kinds {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}
