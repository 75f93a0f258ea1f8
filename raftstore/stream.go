package raftstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"path"
	"slices"

	"github.com/siltstonedb/siltstone/archive"
)

// A snapshot as it is sent: the files of a checkpoint.
//
//	head   "SSRS", version 1, place in the log (index and time, 8 bytes each), CRC-32C of these
//	table  'H', length of the name, name, size, id, digest (8 bytes each), CRC-32C of all these
//	…
//	file   'F', length of the name, name, size (8 bytes), bytes, CRC-32C of all these
//	…
//	end    'E', number of parts (4 bytes), CRC-32C of these and of the checksums of all parts
//
// A table in it is one that the receiver has said it has. Numbers are big-endian. A stream
// that was cut has no end, and is refused.
const (
	streamMagic = "SSRS\x01"
	streamHead  = len(streamMagic) + 16 + 4
	streamEnd   = 1 + 4 + 4
	maxFiles    = 1 << 20
)

// errBadStream refuses a stream of a snapshot.
var errBadStream = errors.New("raftstore: the stream of a snapshot is damaged")

// stateFile is a file of a checkpoint.
type stateFile struct {
	name string
	size int64
}

// stateFiles returns the files in dir, in the order of their names.
func stateFiles(on files, dir string) (all []stateFile, err error) {
	names, err := on.List(dir)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		info, err := on.Stat(path.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() || !goodName(name) {
			return nil, fmt.Errorf("raftstore: %s is no file of a checkpoint", path.Join(dir, name))
		}
		all = append(all, stateFile{name, info.Size()})
	}
	return all, nil
}

// part is a part of a stream: a file or, if it has an id, a table that is only named.
type part struct {
	stateFile
	table archive.Table
}

func (p *part) length() int64 {
	if p.table.ID != 0 {
		return int64(1 + 1 + len(p.name) + 24 + 4)
	}
	return int64(1+1+len(p.name)+8+4) + p.size
}

// stateParts returns the parts of the stream of the checkpoint in dir, and its length. A
// receiver has the tables in has: these come first.
func stateParts(on files, dir string, has archive.Mark) (parts []part, length int64, err error) {
	all, err := stateFiles(on, dir)
	if err != nil {
		return nil, 0, err
	}
	tables := map[string]archive.Table{}
	if len(has.Tables) > 0 {
		if tables, err = tablesOf(on, dir); err != nil {
			return nil, 0, err
		}
	}
	var rest []part
	length = int64(streamHead + streamEnd)
	for _, f := range all {
		p := part{stateFile: f}
		if t := tables[f.name]; has.Has(t) && int64(t.Size) == f.size && t.ID != 0 {
			p.table = t
			parts = append(parts, p)
		} else {
			rest = append(rest, p)
		}
		length += p.length()
	}
	return append(parts, rest...), length, nil
}

// goodName reports whether a file may be made under the name in a directory.
func goodName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return name != "" && len(name) <= 255 && name[0] != '.'
}

// sendState writes the stream of the checkpoint in dir, of which parts are those that
// stateParts has returned.
func sendState(w io.Writer, on files, dir string, parts []part, at point) error {
	head := binary.BigEndian.AppendUint64([]byte(streamMagic), at.index)
	head = binary.BigEndian.AppendUint64(head, uint64(at.time))
	head = binary.BigEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	if _, err := w.Write(head); err != nil {
		return err
	}
	end := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(parts)))
	sums := crc32.Checksum(end, castagnoli)
	for _, p := range parts {
		send := func() ([]byte, error) { return sendFile(w, on, dir, p.stateFile) }
		if p.table.ID != 0 {
			send = func() ([]byte, error) { return sendName(w, p) }
		}
		sum, err := send()
		if err != nil {
			return err
		}
		sums = crc32.Update(sums, castagnoli, sum)
	}
	_, err := w.Write(binary.BigEndian.AppendUint32(end, sums))
	return err
}

// sendName writes that a table belongs to the state, and returns the checksum of that.
func sendName(w io.Writer, p part) (sum []byte, err error) {
	b := append([]byte{'H', byte(len(p.name))}, p.name...)
	for _, n := range []uint64{p.table.Size, p.table.ID, p.table.Digest} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err = w.Write(b)
	return b[len(b)-4:], err
}

// sendFile writes a file, and returns its checksum as it was written.
func sendFile(w io.Writer, on files, dir string, f stateFile) (sum []byte, err error) {
	in, err := on.Open(path.Join(dir, f.name))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	head := append([]byte{'F', byte(len(f.name))}, f.name...)
	head = binary.BigEndian.AppendUint64(head, uint64(f.size))
	h := crc32.New(castagnoli)
	both := io.MultiWriter(w, h)
	if _, err := both.Write(head); err != nil {
		return nil, err
	}
	if _, err := io.CopyN(both, io.NewSectionReader(in, 0, f.size), f.size); err != nil {
		return nil, fmt.Errorf("raftstore: %s: %w", path.Join(dir, f.name), err)
	}
	sum = h.Sum(nil)
	_, err = w.Write(sum)
	return sum, err
}

// receiver makes the files of a stream.
type receiver struct {
	r      io.Reader
	on     files
	dir    string
	tables func() (map[archive.Table]string, error) // files of tables that there are
	have   map[archive.Table]string                 // what it has returned; nil: it was not called
	sums   []byte                                   // of the parts
}

// receiveState reads a stream and makes its files in dir, which is new, durably. Tables
// that it only names are links to the files that tables returns.
func receiveState(r io.Reader, on files, dir string, tables func() (map[archive.Table]string, error)) (at point, err error) {
	if err := on.MkdirAll(dir); err != nil {
		return at, err
	}
	head := make([]byte, streamHead)
	if _, err := io.ReadFull(r, head); err != nil {
		return at, cut(err)
	}
	body := head[:streamHead-4]
	if string(head[:len(streamMagic)]) != streamMagic || crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(head[len(body):]) {
		return at, fmt.Errorf("%w: it does not begin as one", errBadStream)
	}
	at = point{binary.BigEndian.Uint64(body[5:]), int64(binary.BigEndian.Uint64(body[13:]))}
	k := receiver{r: r, on: on, dir: dir, tables: tables}
	for n := uint32(0); ; n++ {
		var kind [1]byte
		if _, err := io.ReadFull(r, kind[:]); err != nil {
			return at, cut(err)
		}
		switch {
		case kind[0] == 'F' && n < maxFiles:
			err = k.file()
		case kind[0] == 'H' && n < maxFiles:
			err = k.table()
		case kind[0] == 'E':
			return at, k.end(n)
		default:
			err = fmt.Errorf("%w: part %d is of kind %#x", errBadStream, n, kind[0])
		}
		if err != nil {
			return at, err
		}
	}
}

// end reads the end behind n parts.
func (k *receiver) end(n uint32) error {
	end := make([]byte, streamEnd)
	end[0] = 'E'
	if _, err := io.ReadFull(k.r, end[1:]); err != nil {
		return cut(err)
	}
	all := crc32.Update(crc32.Checksum(end[:5], castagnoli), castagnoli, k.sums)
	if binary.BigEndian.Uint32(end[1:]) != n || binary.BigEndian.Uint32(end[5:]) != all {
		return fmt.Errorf("%w: its end is that of another", errBadStream)
	}
	return k.on.SyncDir(k.dir)
}

// name reads a name, and so many bytes behind it.
func (k *receiver) name(r io.Reader, behind int) (name string, rest []byte, err error) {
	var length [1]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return "", nil, cut(err)
	}
	b := make([]byte, int(length[0])+behind)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", nil, cut(err)
	}
	name, rest = string(b[:length[0]]), b[length[0]:]
	if size := binary.BigEndian.Uint64(rest); !goodName(name) || size > 1<<62 {
		return "", nil, fmt.Errorf("%w: a file %q of %d bytes", errBadStream, name, size)
	}
	return name, rest, nil
}

// sum reads the checksum of a part and compares it.
func (k *receiver) sum(name string, h hash.Hash32) error {
	var sum [4]byte
	if _, err := io.ReadFull(k.r, sum[:]); err != nil {
		return cut(err)
	}
	if binary.BigEndian.Uint32(sum[:]) != h.Sum32() {
		return fmt.Errorf("%w: the checksum of %s", errBadStream, name)
	}
	k.sums = append(k.sums, sum[:]...)
	return nil
}

// file makes a file of its bytes.
func (k *receiver) file() error {
	h := crc32.New(castagnoli)
	h.Write([]byte{'F'})
	both := io.TeeReader(k.r, h)
	name, rest, err := k.name(both, 8)
	if err != nil {
		return err
	}
	return k.on.write(path.Join(k.dir, name), func(w io.Writer) error {
		if _, err := io.CopyN(w, both, int64(binary.BigEndian.Uint64(rest))); err != nil {
			return cut(err)
		}
		return k.sum(name, h)
	})
}

// table links a table that there is.
func (k *receiver) table() error {
	h := crc32.New(castagnoli)
	h.Write([]byte{'H'})
	name, rest, err := k.name(io.TeeReader(k.r, h), 24)
	if err != nil {
		return err
	}
	if err := k.sum(name, h); err != nil {
		return err
	}
	if k.have == nil && k.tables != nil {
		if k.have, err = k.tables(); err != nil {
			return err
		}
	}
	t := archive.Table{Size: binary.BigEndian.Uint64(rest), ID: binary.BigEndian.Uint64(rest[8:]), Digest: binary.BigEndian.Uint64(rest[16:])}
	from := k.have[t]
	if from == "" {
		return fmt.Errorf("%w: it names the table %016x, which is not here", errBadStream, t.ID)
	}
	return k.on.link(from, path.Join(k.dir, name), int64(t.Size))
}

// cut says of the end of a stream that it came too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut", errBadStream)
	}
	return err
}
