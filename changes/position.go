package changes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Position is a place between two commits in the history of one store. The zero
// Position is before the first commit of any store. A position is comparable with ==.
// Of two positions only the store can say which is the later one.
//
// It means something in the store that it is of, and in a checkpoint of that store,
// up to the checkpoint's moment. Another store refuses it. Its bytes say nothing to
// programs; Text and Binary are its forms to keep and to send.
//
//	+--------------------------+-----------------------------+
//	| store in whose history   | last sequence before it     |
//	| 8 B little-endian        | 8 B little-endian           |
//	+--------------------------+-----------------------------+
type Position [16]byte

const (
	positionVersion = 1
	// positionLen is 1 for the version, 16 for the position and 4 for a checksum of that,
	// little-endian.
	positionLen = 1 + 16 + 4
	startText   = "start"
)

var errPosition = errors.New("siltstone: this is no position of a change feed")

// IsZero reports whether p is before the first commit.
func (p Position) IsZero() bool { return p == Position{} }

// String returns the text form, which ParsePosition reads: letters, digits and
// hyphens.
func (p Position) String() string {
	if p.IsZero() {
		return startText
	}
	return fmt.Sprintf("%016x-%d-%08x", binary.LittleEndian.Uint64(p[:8]), binary.LittleEndian.Uint64(p[8:]), p.sum())
}

// ParsePosition reads the text form. Text that was cut or mistyped is an error.
func ParsePosition(s string) (Position, error) {
	if s == startText {
		return Position{}, nil
	}
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return Position{}, errPosition
	}
	store, err1 := strconv.ParseUint(parts[0], 16, 64)
	seq, err2 := strconv.ParseUint(parts[1], 10, 64)
	var p Position
	binary.LittleEndian.PutUint64(p[:8], store)
	binary.LittleEndian.PutUint64(p[8:], seq)
	if errors.Join(err1, err2) != nil || p.IsZero() || p.String() != s {
		return Position{}, errPosition
	}
	return p, nil
}

// MarshalText implements encoding.TextMarshaler with the form of String.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Position) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePosition(string(text))
	return err
}

// AppendBinary appends the binary form, 21 bytes.
func (p Position) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(append(dst, positionVersion), p[:]...)
	return binary.LittleEndian.AppendUint32(dst, p.sum()), nil
}

// MarshalBinary implements encoding.BinaryMarshaler.
func (p Position) MarshalBinary() ([]byte, error) { return p.AppendBinary(nil) }

// UnmarshalBinary implements encoding.BinaryUnmarshaler. Any bytes are safe to pass.
func (p *Position) UnmarshalBinary(b []byte) error {
	if len(b) != positionLen || b[0] != positionVersion {
		return errPosition
	}
	read := Position(b[1:17])
	if binary.LittleEndian.Uint32(b[17:]) != read.sum() {
		return errPosition
	}
	*p = read
	return nil
}

func (p Position) sum() uint32 {
	return uint32(xxhash.Sum64(p[:]))
}

// NewPosition returns the position behind a sequence of a store's history, given its id.
func NewPosition(store, sequence uint64) (p Position) {
	if sequence != 0 {
		binary.LittleEndian.PutUint64(p[:8], store)
		binary.LittleEndian.PutUint64(p[8:], sequence)
	}
	return p
}

// Parts returns the id of the store in whose history the position is, and the last
// sequence before it: of two positions in the history of one store the later one has the
// larger sequence.
func (p Position) Parts() (store, sequence uint64) {
	return binary.LittleEndian.Uint64(p[:8]), binary.LittleEndian.Uint64(p[8:])
}
