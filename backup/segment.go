package backup

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
)

// segment is an object of changes, as its name tells: the commits of a store behind one
// sequence, up to another one.
//
//	 0       8         12     16      24
//	+-------+---------+------+-------+-------+---------+------+-------+------+----------+
//	| magic | version | zero | store | after | commits | 0x00 | count | last | xxhash64 |
//	| 8 B   | 4 B     | 4 B  | 8 B   | 8 B   |         | 1 B  | 8 B   | 8 B  | of all   |
//	+-------+---------+------+-------+-------+---------+------+-------+------+----------+
//
// A commit is as changes.Commit has it, and begins with another byte than zero. Integers
// are little-endian.
type segment struct {
	store, after, last uint64
	end                int64 // time of the last commit, milliseconds since 1970
	size               int64
	digest             uint64 // xxhash64 of the object
	nonce              uint64 // no name is used twice, so what is removed is not what was put later
}

const (
	segmentMagic   = "siltCHG\n"
	segmentVersion = 1
	segmentHead    = 8 + 4 + 4 + 8 + 8
	segmentEnd     = 1 + 8 + 8 + 8
)

// segmentPrefix is what the names of a store's segments behind a sequence begin with.
func segmentPrefix(store, after uint64) string {
	return fmt.Sprintf("%s%016x", storePrefix(store), after)
}

// storePrefix is what the names of a store's segments begin with.
func storePrefix(store uint64) string { return fmt.Sprintf("%s%016x-", changesPrefix, store) }

func (s segment) name() string {
	return fmt.Sprintf("%s-%016x-%d-%d-%016x-%016x", segmentPrefix(s.store, s.after), s.last, s.end, s.size, s.digest, s.nonce)
}

// parseSegment is the reverse of name.
func parseSegment(name string) (s segment, ok bool) {
	text := strings.ReplaceAll(strings.TrimPrefix(name, changesPrefix), "-", " ")
	if _, err := fmt.Sscanf(text, "%x %x %x %d %d %x %x", &s.store, &s.after, &s.last, &s.end, &s.size, &s.digest, &s.nonce); err != nil {
		return s, false
	}
	return s, s.name() == name && s.after < s.last
}

// position returns the position behind the segment's last commit.
func (s segment) position() changes.Position { return changes.NewPosition(s.store, s.last) }

// builder gathers the commits of a segment.
type builder struct {
	segment
	object []byte
	count  uint64
}

func newBuilder(store, after uint64) *builder {
	b := &builder{segment: segment{store: store, after: after, last: after}}
	b.object = append(b.object, segmentMagic...)
	b.object = binary.LittleEndian.AppendUint32(b.object, segmentVersion)
	b.object = binary.LittleEndian.AppendUint32(b.object, 0)
	b.object = binary.LittleEndian.AppendUint64(b.object, store)
	b.object = binary.LittleEndian.AppendUint64(b.object, after)
	return b
}

// add adds a commit, whose bytes are copied.
func (b *builder) add(c *changes.Commit) (err error) {
	if b.object, err = c.AppendBinary(b.object); err != nil {
		return err
	}
	b.count++
	_, b.last = c.Position.Parts()
	b.end = c.Time.UnixMilli()
	return nil
}

// finish ends the object: its name is known then.
func (b *builder) finish() error {
	b.object = append(b.object, 0)
	b.object = binary.LittleEndian.AppendUint64(b.object, b.count)
	b.object = binary.LittleEndian.AppendUint64(b.object, b.last)
	b.object = binary.LittleEndian.AppendUint64(b.object, xxhash.Sum64(b.object))
	b.size, b.digest = int64(len(b.object)), xxhash.Sum64(b.object)
	var nonce [8]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return err
	}
	b.nonce = binary.LittleEndian.Uint64(nonce[:])
	return nil
}

// decodeSegment returns the commits of an object. They point into it. Any bytes are safe
// to pass; what is not the segment is siltstone.ErrCorruption.
func decodeSegment(s segment, object []byte) (all []changes.Commit, err error) {
	bad := func(at int, what string) ([]changes.Commit, error) {
		return nil, fmt.Errorf("backup: %s, offset %d: %s: %w", s.name(), at, what, siltstone.ErrCorruption)
	}
	le := binary.LittleEndian
	switch {
	case int64(len(object)) != s.size || len(object) < segmentHead+segmentEnd:
		return bad(len(object), "it ends here, and is not as long as its name says")
	case xxhash.Sum64(object) != s.digest:
		return bad(0, "it does not verify")
	case string(object[:8]) != segmentMagic || le.Uint32(object[8:]) != segmentVersion || le.Uint32(object[12:]) != 0:
		return bad(0, "these are no changes, or of a later version")
	case le.Uint64(object[16:]) != s.store || le.Uint64(object[24:]) != s.after:
		return bad(16, "these are other changes than its name says")
	}
	last, rest := s.after, object[segmentHead:]
	for len(rest) > 0 && rest[0] != 0 {
		c, behind, err := changes.ReadCommit(rest)
		at := len(object) - len(rest)
		if err != nil {
			return nil, fmt.Errorf("backup: %s, offset %d: %w", s.name(), at, err)
		}
		store, seq := c.Position.Parts()
		if store != s.store || seq <= last {
			return bad(at, "the commit does not follow")
		}
		all, last, rest = append(all, c), seq, behind
	}
	end := len(object) - len(rest)
	if len(rest) != segmentEnd || le.Uint64(rest[1:]) != uint64(len(all)) || le.Uint64(rest[9:]) != last || last != s.last ||
		le.Uint64(rest[17:]) != xxhash.Sum64(object[:end+17]) {
		return bad(end, "its end is not that of these commits")
	}
	return all, nil
}

// segments lists the segments whose names begin with prefix, in the order of their
// beginnings, and what is none: another name, or another size than that of its name.
func (r *Repository) segments(ctx context.Context, prefix string) (all []segment, torn []string, err error) {
	objects, err := r.store.List(ctx, prefix)
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	for _, o := range objects {
		if s, ok := parseSegment(o.Name); ok && o.Size == s.size {
			all = append(all, s)
		} else {
			torn = append(torn, o.Name)
		}
	}
	return all, torn, nil
}

// readSegment reads a segment, and verifies it.
func (r *Repository) readSegment(ctx context.Context, s segment) ([]changes.Commit, error) {
	object := bytes.NewBuffer(make([]byte, 0, min(s.size, 64<<20)+bytes.MinRead))
	if err := r.store.copy(ctx, object, s.name()); err != nil {
		return nil, err
	}
	return decodeSegment(s, object.Bytes())
}

// next returns the segment that leads furthest on from a sequence; false if none does. all
// are of one store, in the order of their beginnings.
func next(all []segment, at uint64) (found segment, ok bool) {
	for _, s := range all {
		if s.after > at {
			break
		}
		if s.last > at && s.last > found.last {
			found, ok = s, true
		}
	}
	return found, ok
}

// chain returns the segments that lead on from a sequence without a hole, and the sequence
// to which they lead.
func chain(all []segment, at uint64) (links []segment, end uint64) {
	for {
		s, ok := next(all, at)
		if !ok {
			return links, at
		}
		links, at = append(links, s), s.last
	}
}

// beyond reports whether there is a segment that begins behind a sequence.
func beyond(all []segment, at uint64) bool {
	return len(all) > 0 && all[len(all)-1].after > at
}

func moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
