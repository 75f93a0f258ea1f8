package raftstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"slices"
)

// A snapshot as it is sent: the files of a checkpoint.
//
//	head   "SSRS", version 1, place in the log (index and time, 8 bytes each), CRC-32C of these
//	file   'F', length of the name, name, size (8 bytes), bytes, CRC-32C of all these
//	…
//	end    'E', number of files (4 bytes), CRC-32C of these and of the checksums of all files
//
// Numbers are big-endian. A stream that was cut has no end, and is refused.
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

// stateFiles returns the files in dir, and the length of the stream of them.
func stateFiles(on files, dir string) (all []stateFile, length int64, err error) {
	names, err := on.List(dir)
	if err != nil {
		return nil, 0, err
	}
	slices.Sort(names)
	length = int64(streamHead + streamEnd)
	for _, name := range names {
		info, err := on.Stat(path.Join(dir, name))
		if err != nil {
			return nil, 0, err
		}
		if !info.Mode().IsRegular() || !goodName(name) {
			return nil, 0, fmt.Errorf("raftstore: %s is no file of a checkpoint", path.Join(dir, name))
		}
		all = append(all, stateFile{name, info.Size()})
		length += int64(1+1+len(name)+8+4) + info.Size()
	}
	return all, length, nil
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

// sendState writes the stream of the checkpoint in dir.
func sendState(w io.Writer, on files, dir string, at point) error {
	all, _, err := stateFiles(on, dir)
	if err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint64([]byte(streamMagic), at.index)
	head = binary.BigEndian.AppendUint64(head, uint64(at.time))
	head = binary.BigEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	if _, err := w.Write(head); err != nil {
		return err
	}
	end := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(all)))
	sums := crc32.Checksum(end, castagnoli)
	for _, f := range all {
		sum, err := sendFile(w, on, dir, f)
		if err != nil {
			return err
		}
		sums = crc32.Update(sums, castagnoli, sum)
	}
	_, err = w.Write(binary.BigEndian.AppendUint32(end, sums))
	return err
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

// receiveState reads a stream and makes its files in dir, which is new, durably.
func receiveState(r io.Reader, on files, dir string) (at point, err error) {
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
	var sums []byte
	for n := uint32(0); ; n++ {
		var kind [1]byte
		if _, err := io.ReadFull(r, kind[:]); err != nil {
			return at, cut(err)
		}
		switch {
		case kind[0] == 'F' && n < maxFiles:
			if sums, err = receiveFile(r, on, dir, sums); err != nil {
				return at, err
			}
			continue
		case kind[0] != 'E':
			return at, fmt.Errorf("%w: part %d is of kind %#x", errBadStream, n, kind[0])
		}
		end := make([]byte, streamEnd)
		end[0] = 'E'
		if _, err := io.ReadFull(r, end[1:]); err != nil {
			return at, cut(err)
		}
		all := crc32.Update(crc32.Checksum(end[:5], castagnoli), castagnoli, sums)
		if binary.BigEndian.Uint32(end[1:]) != n || binary.BigEndian.Uint32(end[5:]) != all {
			return at, fmt.Errorf("%w: its end is that of another", errBadStream)
		}
		return at, on.SyncDir(dir)
	}
}

// receiveFile makes one file, and appends its checksum to sums.
func receiveFile(r io.Reader, on files, dir string, sums []byte) ([]byte, error) {
	h := crc32.New(castagnoli)
	h.Write([]byte{'F'})
	both := io.TeeReader(r, h)
	var length [1]byte
	if _, err := io.ReadFull(both, length[:]); err != nil {
		return nil, cut(err)
	}
	rest := make([]byte, int(length[0])+8)
	if _, err := io.ReadFull(both, rest); err != nil {
		return nil, cut(err)
	}
	name, size := string(rest[:length[0]]), binary.BigEndian.Uint64(rest[length[0]:])
	if !goodName(name) || size > 1<<62 {
		return nil, fmt.Errorf("%w: a file %q of %d bytes", errBadStream, name, size)
	}
	var sum [4]byte
	err := on.write(path.Join(dir, name), func(w io.Writer) error {
		if _, err := io.CopyN(w, both, int64(size)); err != nil {
			return cut(err)
		}
		if _, err := io.ReadFull(r, sum[:]); err != nil {
			return cut(err)
		}
		if binary.BigEndian.Uint32(sum[:]) != h.Sum32() {
			return fmt.Errorf("%w: the checksum of %s", errBadStream, name)
		}
		return nil
	})
	return append(sums, sum[:]...), err
}

// cut says of the end of a stream that it came too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut", errBadStream)
	}
	return err
}
