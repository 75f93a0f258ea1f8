package keyspace

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// MaxNameLen is the length of the longest name, in bytes.
const MaxNameLen = 255

// Space is one keyspace between its making and its dropping: a name that is used
// again names another Space. It is safe for concurrent use.
type Space struct {
	// ended is the sequence at which it was dropped, 0 while it was not. It is set
	// inside the commit section, before the drop is visible.
	ended atomic.Uint64

	// constant
	Name   string
	Number uint32
	Handle any // the Keyspace that users call, made with it
	prefix []byte
}

// New returns the keyspace with a number that no other has.
func New(name string, number uint32) *Space {
	return &Space{Name: name, Number: number, prefix: Prefix(number)}
}

// Prefix returns the prefix of the keyspace's rows. It is read only.
func (s *Space) Prefix() []byte {
	if s == nil {
		return nil
	}
	return s.prefix
}

// ID returns the keyspace's number, 0 for the default one.
func (s *Space) ID() uint32 {
	if s == nil {
		return 0
	}
	return s.Number
}

// ReadableAt returns ErrDropped if the keyspace had been dropped at seq.
func (s *Space) ReadableAt(seq base.SeqNum) error {
	if s == nil {
		return nil
	}
	if at := s.ended.Load(); at != 0 && at <= uint64(seq) {
		return base.Errorf(base.ErrDropped, "keyspace %s has been dropped", base.Quote(s.Name))
	}
	return nil
}

// Writable returns ErrDropped if the keyspace has been dropped. Inside the commit
// section the answer stands.
func (s *Space) Writable() error { return s.ReadableAt(base.SeqMax) }

// Dropped reports whether the keyspace has been dropped.
func (s *Space) Dropped() bool { return s.ended.Load() != 0 }

// End says that the keyspace is dropped at seq. It is called inside the commit
// section.
func (s *Space) End(seq base.SeqNum) { s.ended.Store(uint64(seq)) }

// Find returns where a number stands, or would, in a list in the order of
// numbers.
func Find(spaces []*Space, number uint32) (int, bool) {
	return slices.BinarySearchFunc(spaces, number, func(s *Space, n uint32) int { return cmp.Compare(s.Number, n) })
}

// Prefix returns the prefix of the rows of a numbered keyspace; nil for 0, the
// default one.
func Prefix(n uint32) []byte {
	if n == 0 {
		return nil
	}
	return keyenc.AppendKeyspacePrefix(nil, n)
}

// Number is the reverse of Prefix. It is 0 for bytes that are no prefix.
func Number(prefix []byte) uint32 {
	if len(prefix) != 5 {
		return 0
	}
	return uint32(prefix[1])<<24 | uint32(prefix[2])<<16 | uint32(prefix[3])<<8 | uint32(prefix[4])
}

// CheckName returns an error for a name that no keyspace can have.
func CheckName(name string) error {
	switch {
	case name == "":
		return base.Errorf(base.ErrEmptyKey, "empty name of a keyspace")
	case len(name) > MaxNameLen:
		return base.Errorf(base.ErrKeyTooLarge, "name of a keyspace has %d bytes, the limit is %d", len(name), MaxNameLen)
	}
	return nil
}
