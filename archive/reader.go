package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Reader reads a stream and verifies all of it:
//
//	NewReader, { Next, Read… } until Next returns io.EOF, then State and Summary
//
// A stream that is damaged, or cut, is ErrCorruption and names the offset; a cut one is
// io.ErrUnexpectedEOF too. Bytes of a table were verified by their block when Read
// returns them. The table as a whole has been when Read returns io.EOF.
//
// Any bytes are safe to read. Memory is bounded by a block, and by what has been
// received of the state and of names of tables. The first error is final.
type Reader struct {
	r       io.Reader
	head    Header
	ordinal uint64
	at      int64 // offset in the stream: all before it was read
	err     error

	kind    byte   // of the last block
	start   int64  // its offset
	payload []byte // of it
	buf     []byte
	ahead   bool // the last block is still to be taken

	open   bool   // a table has begun and not ended
	rest   []byte // of payload: bytes of the table that were not read
	table  Table
	digest xxhash.Digest

	tables  []Table
	total   uint64
	state   []byte
	summary Summary
}

// NewReader reads the header.
func NewReader(r io.Reader) (*Reader, error) {
	if r == nil {
		return nil, errUnmade
	}
	a := &Reader{r: r}
	var b [headerSize]byte
	if err := a.full(b[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) && string(b[:len(magic)]) != magic {
			return nil, base.Corruptf(streamName, 0, "not a backup")
		}
		return nil, err
	}
	var err error
	if a.head, err = decodeHeader(b[:]); err != nil {
		return nil, err
	}
	return a, nil
}

// unmade reports whether a is one that NewReader did not return.
func (a *Reader) unmade() bool { return a == nil || a.r == nil }

// Header returns the stream's header.
func (a *Reader) Header() Header {
	if a.unmade() {
		return Header{}
	}
	return a.head
}

// Next goes to the next table and returns its id. What was not read of the one before is
// passed over, and verified. Behind the last table it reads the rest of the stream,
// verifies it, and returns io.EOF.
func (a *Reader) Next() (id uint64, err error) {
	if a.unmade() {
		return 0, errUnmade
	}
	if a.err == nil && a.open {
		_, a.err = io.Copy(io.Discard, a)
	}
	if a.err != nil {
		return 0, a.err
	}
	if err := a.block(); err != nil {
		return 0, err
	}
	if a.kind != kindTable {
		a.ahead = true
		return 0, a.finish()
	}
	if len(a.payload) != 8 || binary.LittleEndian.Uint64(a.payload) == 0 || len(a.tables) >= maxTables {
		return 0, a.corrupt("malformed beginning of a table")
	}
	a.open, a.rest, a.table = true, nil, Table{ID: binary.LittleEndian.Uint64(a.payload)}
	a.digest.Reset()
	return a.table.ID, nil
}

// Read reads bytes of the table. At its end it returns io.EOF, and Table its name.
func (a *Reader) Read(p []byte) (int, error) {
	if a.unmade() {
		return 0, errUnmade
	}
	for len(a.rest) == 0 {
		switch {
		case a.err != nil:
			return 0, a.err
		case !a.open:
			return 0, io.EOF
		}
		if err := a.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// more takes the next block of the table.
func (a *Reader) more() error {
	if err := a.block(); err != nil {
		return err
	}
	switch {
	case a.kind == kindBytes && len(a.payload) > 0:
		a.rest = a.payload
		a.table.Size += uint64(len(a.payload))
		_, _ = a.digest.Write(a.payload)
		return nil
	case a.kind != kindTableEnd || len(a.payload) != 16:
		return a.corrupt("block of kind %d and %d bytes within a table", a.kind, len(a.payload))
	}
	a.open, a.table.Digest = false, a.digest.Sum64()
	size, digest := binary.LittleEndian.Uint64(a.payload), binary.LittleEndian.Uint64(a.payload[8:])
	if a.table.Size == 0 || size != a.table.Size || digest != a.table.Digest {
		return a.corrupt("table %016x has %d bytes of digest %016x, its end says %d and %016x", a.table.ID, a.table.Size, a.table.Digest, size, digest)
	}
	a.tables, a.total = append(a.tables, a.table), a.total+a.table.Size
	return nil
}

// Table returns the name of the table that was read to its end last.
func (a *Reader) Table() Table {
	if a.unmade() {
		return Table{}
	}
	return a.table
}

// State returns the state as it was encoded; nil before Next has returned io.EOF.
func (a *Reader) State() []byte {
	if a.unmade() || a.err != io.EOF {
		return nil
	}
	return a.state
}

// Summary says what the stream holds. It is zero before Next has returned io.EOF.
func (a *Reader) Summary() Summary {
	if a.unmade() {
		return Summary{}
	}
	return a.summary
}

// finish reads state and end. It returns io.EOF if they are right.
func (a *Reader) finish() error {
	for {
		if err := a.block(); err != nil {
			return err
		}
		if a.kind != kindState {
			break
		}
		if len(a.payload) == 0 || len(a.state)+len(a.payload) > maxState {
			return a.corrupt("part of %d bytes of a state of %d", len(a.payload), len(a.state))
		}
		a.state = append(a.state, a.payload...)
	}
	if a.kind != kindEnd || len(a.payload) != 24 {
		return a.corrupt("block of kind %d and %d bytes in the place of the end", a.kind, len(a.payload))
	}
	le := binary.LittleEndian
	if n, b, s := le.Uint64(a.payload), le.Uint64(a.payload[8:]), le.Uint64(a.payload[16:]); n != uint64(len(a.tables)) || b != a.total || s != uint64(len(a.state)) {
		return a.corrupt("the end says %d tables of %d bytes and a state of %d, there were %d of %d, and %d", n, b, s, len(a.tables), a.total, len(a.state))
	}
	sent := len(a.tables)
	all, err := checkTables(a.state, a.tables, a.head.Since == 0)
	if errors.Is(err, base.ErrFormatTooNew) {
		a.err = err
		return err
	}
	if err != nil {
		return a.corrupt("%w", err)
	}
	switch n, err := io.ReadFull(a.r, make([]byte, 1)); {
	case n > 0:
		a.start = a.at
		return a.corrupt("bytes behind the end")
	case err != io.EOF:
		a.err = err
		return err
	}
	a.summary = Summary{
		Mark:  Mark{Store: a.head.Store, Backup: a.head.Backup, Tables: all},
		Since: a.head.Since, Time: a.head.Time, Tables: sent, Bytes: a.at,
	}
	a.err = io.EOF
	return io.EOF
}

// block reads the next block, unless the last one is still to be taken.
func (a *Reader) block() error {
	if a.ahead {
		a.ahead = false
		return nil
	}
	a.start = a.at
	var head [headSize]byte
	if err := a.full(head[:]); err != nil {
		return err
	}
	le := binary.LittleEndian
	n := le.Uint32(head[4:])
	a.ordinal++
	if n > maxPayload || le.Uint64(head[8:]) != a.ordinal || head[1]|head[2]|head[3] != 0 {
		return a.corrupt("head of block %d does not verify", a.ordinal)
	}
	if int(n) > len(a.buf) {
		a.buf = make([]byte, max(int(n), min(2*len(a.buf), maxPayload)))
	}
	a.kind, a.payload = head[0], a.buf[:n]
	if err := a.full(a.payload); err != nil {
		return err
	}
	if le.Uint64(head[16:]) != blockSum(a.head.Backup, head[:], a.payload) {
		return a.corrupt("block %d does not verify", a.ordinal)
	}
	return nil
}

// full fills b. A stream that ends within it is cut.
func (a *Reader) full(b []byte) error {
	n, err := io.ReadFull(a.r, b)
	a.at += int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = &base.CorruptionError{File: streamName, Offset: a.at, Err: fmt.Errorf("the stream is cut short: %w", io.ErrUnexpectedEOF)}
	}
	if err != nil {
		a.err = err
	}
	return err
}

// corrupt ends reading with an error about the last block.
func (a *Reader) corrupt(format string, args ...any) error {
	a.err = base.Corruptf(streamName, a.start, format, args...)
	return a.err
}
