package repair

import (
	"cmp"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Report is the findings of Salvage on a damaged store; after an error, those until
// then.
type Report struct {
	Manifest error // why the manifest could not be used; nil: it could
	Current  error // why CURRENT did not lead to it; nil: it did
	Files    []File
}

// File is the finding on one table or log.
type File struct {
	Name    string
	Kept    int64 // records or, of a log, operations that were read
	Lost    []Part
	LeftOut error // why none of it was read; nil: it was
}

// Part is a part of a file that could not be read.
type Part struct {
	Offset, Bytes int64 // Bytes is 0 where it is not known
	Err           error
}

func (r *Report) file(t base.FileType, n base.FileNum) *File {
	r.Files = append(r.Files, File{Name: base.Filename(t, n)})
	return &r.Files[len(r.Files)-1]
}

// sort puts the files in the order of their names.
func (r *Report) sort() {
	slices.SortFunc(r.Files, func(a, b File) int {
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), strings.Compare(a.Name, b.Name))
	})
}
