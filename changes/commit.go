package changes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Commit is one commit as the log holds it, from DB.Commits, to be kept or sent and given
// to DB.Replay. DB.Changes tells what commits did.
type Commit struct {
	Position Position // behind it
	// Time is a reading of the store's clock, not before the commit. It never falls from
	// one commit to the next.
	Time time.Time
	// Body is the note and the operations of the commit, as docs/format/batch.md has them.
	Body []byte
}

// The byte form of a commit. Integers are little-endian.
//
//	 0         1          17        25        33
//	+---------+----------+---------+---------+------+----------+
//	| version | position | time    | length  | body | xxhash64 |
//	| 1 B     | 16 B     | ms, 8 B | of body |      | of all   |
//	|         |          |         | 8 B     |      | before   |
//	+---------+----------+---------+---------+------+----------+
const (
	commitVersion = 1
	commitHead    = 1 + 16 + 8 + 8
	commitSum     = 8
	// latestTime is the last millisecond that a record can hold.
	latestTime = 1 << 62
)

// Size returns the length of the byte form.
func (c *Commit) Size() int {
	if c == nil {
		return 0
	}
	return commitHead + len(c.Body) + commitSum
}

// AppendBinary appends the byte form, which ReadCommit reads: 41 bytes and the body.
func (c *Commit) AppendBinary(dst []byte) ([]byte, error) {
	if c == nil {
		return dst, errors.New("siltstone: nil Commit")
	}
	ms := c.Time.UnixMilli()
	if ms < 0 || ms > latestTime {
		return dst, fmt.Errorf("siltstone: commit %v has the time %v, which no store shows", c.Position, c.Time)
	}
	from := len(dst)
	dst = append(append(dst, commitVersion), c.Position[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(ms))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(c.Body)))
	dst = append(dst, c.Body...)
	return binary.LittleEndian.AppendUint64(dst, xxhash.Sum64(dst[from:])), nil
}

// MarshalBinary implements encoding.BinaryMarshaler.
func (c *Commit) MarshalBinary() ([]byte, error) {
	return c.AppendBinary(make([]byte, 0, c.Size()))
}

// ReadCommit reads the commit at the beginning of b, and returns what is behind it. The
// body is a part of b. Any bytes are safe to pass: what is no commit, or cut, or damaged,
// is ErrCorruption.
func ReadCommit(b []byte) (c Commit, rest []byte, err error) {
	bad := func(what string) error {
		return fmt.Errorf("%w: commit of a change feed %s", base.ErrCorruption, what)
	}
	if len(b) == 0 || b[0] != commitVersion {
		return c, nil, bad("has an unknown version")
	}
	if len(b) < commitHead+commitSum {
		return c, nil, bad("is cut short")
	}
	ms, n := binary.LittleEndian.Uint64(b[17:]), binary.LittleEndian.Uint64(b[25:])
	if n > uint64(len(b)-commitHead-commitSum) {
		return c, nil, bad("is cut short")
	}
	end := commitHead + int(n)
	if binary.LittleEndian.Uint64(b[end:]) != xxhash.Sum64(b[:end]) {
		return c, nil, bad("does not verify")
	}
	if ms > latestTime {
		return c, nil, bad("has a time that no store shows")
	}
	c = Commit{Position: Position(b[1:17]), Time: time.UnixMilli(int64(ms)), Body: b[commitHead:end:end]}
	return c, b[end+commitSum:], nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. The body is a part of b.
func (c *Commit) UnmarshalBinary(b []byte) error {
	read, rest, err := ReadCommit(b)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d bytes behind a commit of a change feed", base.ErrCorruption, len(rest))
	}
	if err == nil {
		*c = read
	}
	return err
}
