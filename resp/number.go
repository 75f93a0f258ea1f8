package resp

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// parseInt parses an integer in the one form that has no sign but a minus, no space and
// no leading zero.
func parseInt(b []byte) (int64, bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var v uint64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		v = v*10 + uint64(d-'0') // 19 digits fit 64 bits
	}
	switch {
	case len(digits) < len(b) && v <= 1<<63:
		return -int64(v), true
	case len(digits) == len(b) && v < 1<<63:
		return int64(v), true
	}
	return 0, false
}

// parseFloat parses a number as Redis does: decimal or hexadecimal, and inf, but no NaN.
func parseFloat(b []byte) (float64, bool) {
	if len(b) == 0 || isSpace(b[0]) {
		return 0, false
	}
	for _, c := range b {
		if c == '_' {
			return 0, false
		}
	}
	s := string(b)
	if digits := strings.ToLower(strings.TrimLeft(s, "+-")); strings.HasPrefix(digits, "0x") && !strings.Contains(digits, "p") {
		s += "p0"
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) {
		return 0, false
	}
	return f, true
}

// upper returns an ASCII word in capitals, if it is short enough to be an option.
func upper(b []byte, room *[24]byte) string {
	if len(b) > len(room) {
		return ""
	}
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		room[i] = c
	}
	return string(room[:len(b)])
}

// is reports whether an argument is the word, which is in capitals.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// The times that a store can note, in milliseconds.
const maxMillis = math.MaxInt64 / int64(time.Millisecond)

// duration returns n units of time to live, each of so many milliseconds.
func duration(n, unit int64) (time.Duration, bool) {
	if n > maxMillis/unit || n < -maxMillis/unit {
		return 0, false
	}
	return time.Duration(n*unit) * time.Millisecond, true
}

func seconds(d time.Duration) int64 { return int64((d + 500*time.Millisecond) / time.Second) }
func millis(d time.Duration) int64  { return int64((d + time.Millisecond - 1) / time.Millisecond) }
