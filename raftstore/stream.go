package raftstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
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
func stateFiles(dir string) (files []stateFile, length int64, err error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	length = int64(streamHead + streamEnd)
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			return nil, 0, err
		}
		if !info.Mode().IsRegular() || !goodName(e.Name()) {
			return nil, 0, fmt.Errorf("raftstore: %s is no file of a checkpoint", filepath.Join(dir, e.Name()))
		}
		files = append(files, stateFile{e.Name(), info.Size()})
		length += int64(1+1+len(e.Name())+8+4) + info.Size()
	}
	return files, length, nil
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
func sendState(w io.Writer, dir string, at point) error {
	files, _, err := stateFiles(dir)
	if err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint64([]byte(streamMagic), at.index)
	head = binary.BigEndian.AppendUint64(head, uint64(at.time))
	head = binary.BigEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	if _, err := w.Write(head); err != nil {
		return err
	}
	end := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(files)))
	all := crc32.Checksum(end, castagnoli)
	for _, f := range files {
		sum, err := sendFile(w, dir, f)
		if err != nil {
			return err
		}
		all = crc32.Update(all, castagnoli, sum)
	}
	_, err = w.Write(binary.BigEndian.AppendUint32(end, all))
	return err
}

// sendFile writes a file, and returns its checksum as it was written.
func sendFile(w io.Writer, dir string, f stateFile) (sum []byte, err error) {
	in, err := os.Open(filepath.Join(dir, f.name))
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
	if _, err := io.CopyN(both, in, f.size); err != nil {
		return nil, fmt.Errorf("raftstore: %s: %w", in.Name(), err)
	}
	sum = h.Sum(nil)
	_, err = w.Write(sum)
	return sum, err
}

// receiveState reads a stream and makes its files in dir, which is new, durably.
func receiveState(r io.Reader, dir string) (at point, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
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
			if sums, err = receiveFile(r, dir, sums); err != nil {
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
		return at, syncDir(dir)
	}
}

// receiveFile makes one file, and appends its checksum to sums.
func receiveFile(r io.Reader, dir string, sums []byte) ([]byte, error) {
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
	out, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if _, err := io.CopyN(out, both, int64(size)); err != nil {
		return nil, cut(err)
	}
	var sum [4]byte
	if _, err := io.ReadFull(r, sum[:]); err != nil {
		return nil, cut(err)
	}
	if binary.BigEndian.Uint32(sum[:]) != h.Sum32() {
		return nil, fmt.Errorf("%w: the checksum of %s", errBadStream, name)
	}
	return append(sums, sum[:]...), errors.Join(out.Sync(), out.Close())
}

// cut says of the end of a stream that it came too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut", errBadStream)
	}
	return err
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
