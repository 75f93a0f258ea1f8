package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
)

// Writer writes a stream. The calls come in this order:
//
//	NewWriter, for each table { Table, Write…, EndTable }, Finish
//
// The first error is final. A Writer that is given up leaves a stream that is cut.
type Writer struct {
	w       io.Writer
	head    Header
	ordinal uint64
	buf     []byte // head and payload of the block that is being filled with a table's bytes
	bytes   int64  // of the stream
	err     error

	tables []Table
	total  uint64 // bytes of tables that have ended
	open   bool
	table  Table
	digest xxhash.Digest
}

var (
	errOrder = errors.New("siltstone: calls of a backup's writer are out of order")
	errEmpty = errors.New("siltstone: a table of a backup has no bytes")

	errUnmade = errors.New("siltstone: a backup needs a stream, and a Reader or Writer that NewReader or NewWriter made")
)

// NewWriter writes the header.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	if w == nil {
		return nil, errUnmade
	}
	if h.Store == 0 || h.Backup == 0 || h.Since == h.Backup {
		return nil, errors.New("siltstone: header of a backup without ids")
	}
	a := &Writer{w: w, head: h, buf: make([]byte, headSize, headSize+blockBytes)}
	if a.write(h.append(nil)); a.err != nil {
		return nil, a.err
	}
	return a, nil
}

// unmade reports whether a is one that NewWriter did not return.
func (a *Writer) unmade() bool { return a == nil || a.w == nil }

// Table begins a table.
func (a *Writer) Table(id uint64) error {
	if a.unmade() {
		return errUnmade
	}
	if a.err == nil && (a.open || id == 0) {
		a.err = errOrder
	}
	if a.err == nil && len(a.tables) >= maxTables {
		a.err = fmt.Errorf("siltstone: a backup has at most %d tables", maxTables)
	}
	if a.err != nil {
		return a.err
	}
	a.open, a.table = true, Table{ID: id}
	a.digest.Reset()
	a.block(kindTable, binary.LittleEndian.AppendUint64(nil, id))
	return a.err
}

// Write adds bytes of the table that was begun.
func (a *Writer) Write(p []byte) (int, error) {
	if a.unmade() {
		return 0, errUnmade
	}
	if a.err == nil && !a.open {
		a.err = errOrder
	}
	n := 0
	for a.err == nil && n < len(p) {
		part := p[n:min(len(p), n+cap(a.buf)-len(a.buf))]
		a.buf = append(a.buf, part...)
		n += len(part)
		_, _ = a.digest.Write(part)
		if len(a.buf) == cap(a.buf) {
			a.flush()
		}
	}
	a.table.Size += uint64(n)
	return n, a.err
}

// EndTable ends the table and returns its name, which what was written has decided.
func (a *Writer) EndTable() (Table, error) {
	if a.unmade() {
		return Table{}, errUnmade
	}
	switch {
	case a.err != nil:
	case !a.open:
		a.err = errOrder
	case a.table.Size == 0:
		a.err = errEmpty
	default:
		a.flush()
		a.open, a.table.Digest = false, a.digest.Sum64()
		a.block(kindTableEnd, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, a.table.Size), a.table.Digest))
		a.tables, a.total = append(a.tables, a.table), a.total+a.table.Size
	}
	return a.table, a.err
}

// Finish writes the state and the end.
func (a *Writer) Finish(state []byte) (Summary, error) {
	if a.unmade() {
		return Summary{}, errUnmade
	}
	if a.err == nil && a.open {
		a.err = errOrder
	}
	var all []Table
	if a.err == nil {
		all, a.err = checkTables(state, a.tables, a.head.Since == 0)
	}
	for rest := state; a.err == nil && len(rest) > 0; {
		n := min(len(rest), blockBytes)
		a.block(kindState, rest[:n])
		rest = rest[n:]
	}
	if a.err == nil {
		a.block(kindEnd, a.totals(state))
	}
	if a.err != nil {
		return Summary{}, a.err
	}
	a.err = errOrder // nothing follows
	return Summary{
		Mark:  Mark{Store: a.head.Store, Backup: a.head.Backup, Tables: all},
		Since: a.head.Since, Time: a.head.Time, Tables: len(a.tables), Bytes: a.bytes,
	}, nil
}

func (a *Writer) totals(state []byte) []byte {
	le := binary.LittleEndian
	return le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, uint64(len(a.tables))), a.total), uint64(len(state)))
}

// checkTables returns the tables of the state. Those of the stream must be among them
// and, if it is whole by itself, be all of them. It sorts what it is given.
func checkTables(state []byte, sent []Table, whole bool) ([]Table, error) {
	all, err := StateTables(state)
	if err != nil {
		return nil, err
	}
	sortTables(sent)
	m := Mark{Tables: all}
	for i, t := range sent {
		if i > 0 && sent[i-1].ID == t.ID {
			return nil, fmt.Errorf("table %016x is there twice", t.ID)
		}
		if !m.Has(t) {
			return nil, fmt.Errorf("table %016x is not one of the state", t.ID)
		}
	}
	if whole && len(sent) < len(all) {
		return nil, fmt.Errorf("%d of %d tables are missing", len(all)-len(sent), len(all))
	}
	return all, nil
}

// flush writes the bytes that have gathered as a block.
func (a *Writer) flush() {
	if len(a.buf) > headSize {
		a.ordinal++
		putHead(a.buf, kindBytes, a.head.Backup, a.ordinal, a.buf[headSize:])
		a.write(a.buf)
		a.buf = a.buf[:headSize]
	}
}

// block writes a block of its own.
func (a *Writer) block(kind byte, payload []byte) {
	a.ordinal++
	b := append(make([]byte, headSize, headSize+len(payload)), payload...)
	putHead(b, kind, a.head.Backup, a.ordinal, payload)
	a.write(b)
}

func (a *Writer) write(b []byte) {
	if a.err != nil {
		return
	}
	n, err := a.w.Write(b)
	a.bytes += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	a.err = err
}
