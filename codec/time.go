package codec

import (
	"encoding/binary"
	"errors"
	"time"
)

// Time is the key codec of instants, in their order, over all that a time.Time can
// hold and to the nanosecond. Neither location nor monotonic reading is kept: two
// times of the same instant are the same key, and decoding gives UTC.
//
//	seconds since the year 1 (8, big-endian, sign bit inverted) · nanoseconds (4, big-endian)
//
//	time.Time{}            80 00 00 00 00 00 00 00 00 00 00 00
//	1970-01-01T00:00:01Z   80 00 00 0E 77 91 F7 01 00 00 00 00
var Time KeyCodec[time.Time] = timeKey{}

// unixToYear1 is the seconds from the zero time to 1970. The package time counts
// from the zero time too, so its order is kept where Unix wraps around.
const unixToYear1 = 62_135_596_800

const timeLen = 8 + 4

type timeKey struct{}

func (timeKey) KeyLen() int { return timeLen }

func (timeKey) AppendKey(dst []byte, v time.Time) []byte {
	sec := uint64(v.Unix()+unixToYear1) ^ 1<<63
	dst = binary.BigEndian.AppendUint64(dst, sec)
	return binary.BigEndian.AppendUint32(dst, uint32(v.Nanosecond()))
}

func (timeKey) DecodeKey(b []byte) (time.Time, error) {
	if err := checkLen(b, timeLen); err != nil {
		return time.Time{}, err
	}
	sec := int64(binary.BigEndian.Uint64(b) ^ 1<<63)
	nsec := binary.BigEndian.Uint32(b[8:])
	if nsec >= 1e9 {
		return time.Time{}, errNanoseconds
	}
	return time.Unix(sec-unixToYear1, int64(nsec)).UTC(), nil
}

var errNanoseconds = errors.New("time has a second or more of nanoseconds")
