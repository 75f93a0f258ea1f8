package raftstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
)

// An entry of the log, as its value in the store:
//
//	0      version: 1
//	1..4   CRC-32C of the index, 8 bytes big-endian, and of all that follows; little-endian
//	5      flags: 1 the entry has a time, 2 it has extensions
//	6      type
//	       term                    uvarint
//	       seconds since 1970      varint, if it has a time
//	       nanoseconds             uvarint below 10⁹, if it has a time
//	       length of extensions    uvarint, if it has extensions
//	       extensions
//	       data: the rest
//
// The index is the key. It is in the checksum, so that an entry that stands under
// another's key is damage, too.
const (
	entryVersion = 1
	entryHead    = 7

	entryTimed    = 1
	entryExtended = 2
	entryFlags    = entryTimed | entryExtended
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entrySum is the checksum of the entry of index whose bytes from the flags on are rest.
func entrySum(index uint64, rest []byte) uint32 {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], index)
	return crc32.Update(crc32.Checksum(b[:], castagnoli), castagnoli, rest)
}

// appendEntry appends the value of an entry to dst.
func appendEntry(dst []byte, l *raft.Log) []byte {
	at := len(dst)
	flags := byte(0)
	if !l.AppendedAt.IsZero() {
		flags |= entryTimed
	}
	if len(l.Extensions) > 0 {
		flags |= entryExtended
	}
	dst = append(dst, entryVersion, 0, 0, 0, 0, flags, byte(l.Type))
	dst = binary.AppendUvarint(dst, l.Term)
	if flags&entryTimed != 0 {
		dst = binary.AppendVarint(dst, l.AppendedAt.Unix())
		dst = binary.AppendUvarint(dst, uint64(l.AppendedAt.Nanosecond()))
	}
	if flags&entryExtended != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(l.Extensions)))
		dst = append(dst, l.Extensions...)
	}
	dst = append(dst, l.Data...)
	binary.LittleEndian.PutUint32(dst[at+1:], entrySum(l.Index, dst[at+5:]))
	return dst
}

// decodeEntry fills l with the entry of index. Data and Extensions are parts of value.
// The error is siltstone.ErrCorruption if value is not what appendEntry makes for index.
func decodeEntry(l *raft.Log, index uint64, value []byte) error {
	if len(value) < entryHead {
		return badEntry(index, "it has %d bytes, at least %d", len(value), entryHead)
	}
	if value[0] != entryVersion {
		return badEntry(index, "its version is %d, known is %d", value[0], entryVersion)
	}
	if got, want := entrySum(index, value[5:]), binary.LittleEndian.Uint32(value[1:]); got != want {
		return badEntry(index, "its checksum is %08x, stored is %08x", got, want)
	}
	flags := value[5]
	if flags&^entryFlags != 0 {
		return badEntry(index, "it has unknown flags %#x", flags)
	}
	*l = raft.Log{Index: index, Type: raft.LogType(value[6])}
	rest, ok := value[entryHead:], true
	if l.Term, rest, ok = uvarint(rest); !ok {
		return badEntry(index, "its term is cut")
	}
	if flags&entryTimed != 0 {
		sec, n := binary.Varint(rest)
		if n <= 0 {
			return badEntry(index, "its time is cut")
		}
		var nano uint64
		if nano, rest, ok = uvarint(rest[n:]); !ok || nano >= 1e9 {
			return badEntry(index, "its time is cut")
		}
		l.AppendedAt = time.Unix(sec, int64(nano))
	}
	if flags&entryExtended != 0 {
		var n uint64
		if n, rest, ok = uvarint(rest); !ok || n == 0 || n > uint64(len(rest)) {
			return badEntry(index, "its extensions are cut")
		}
		l.Extensions, rest = rest[:n:n], rest[n:]
	}
	if len(rest) > 0 {
		l.Data = rest
	}
	return nil
}

// uvarint takes an unsigned number off b.
func uvarint(b []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

func badEntry(index uint64, format string, args ...any) error {
	return fmt.Errorf("raftstore: entry %d of the log: %w: %s", index, siltstone.ErrCorruption, fmt.Sprintf(format, args...))
}
