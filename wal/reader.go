package wal

import (
	"errors"
	"io"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Reader reads one log from its beginning. One goroutine at a time may use it.
type Reader struct {
	FrameReader
	header Header
}

// ErrNoHeader is returned by Open for a file that is no log yet: empty, zeros,
// or a header that was being written when the power was cut. Such a file holds
// nothing and can be deleted, unless another log's header names it.
var ErrNoHeader = errors.New("wal: file has no header")

// Open returns a reader of the log in r, which is size bytes long; errors call
// it name. The reader does not close r.
//
// The error is ErrNoHeader if the file is no log; a *base.CorruptionError if
// its header is damaged, which is proven by any frame behind it, for headers
// are durable before the first frame is written; base.ErrFormatTooNew, wrapped,
// if a later version wrote it; any other if it could not be read.
func Open(r io.ReaderAt, size int64, name string) (*Reader, error) {
	if size < HeaderSize {
		return nil, ErrNoHeader
	}
	file := window{r: r, size: size, name: name}
	b, err := file.at(0, HeaderSize)
	if err != nil {
		return nil, err
	}
	h, ok, err := decodeHeader(b, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		found, err := file.search(0, 0)
		switch {
		case err != nil:
			return nil, err
		case found.proof != nil:
			return nil, base.Corruptf(name, 0, "log header does not verify, but a frame stands at %d", found.proof.offset)
		}
		return nil, ErrNoHeader
	}
	return &Reader{
		FrameReader: FrameReader{file: file, id: h.LogID, end: HeaderSize, lastSeq: h.LastSeq},
		header:      h,
	}, nil
}

// Header returns the log's header.
func (r *Reader) Header() Header { return r.header }

// Found returns what CheckChain needs to know of the log, once Next has
// returned an error that is io.EOF or a *TornError. number is the one in the
// file's name.
func (r *Reader) Found(number base.FileNum) Found {
	return Found{
		Number: number, HasHeader: true, Header: r.header,
		End: r.end, LastSeq: r.lastSeq, Complete: r.complete,
	}
}
