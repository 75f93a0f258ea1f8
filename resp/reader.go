package resp

import (
	"bytes"
	"fmt"
)

// limits bound what a reader takes of one command.
type limits struct {
	args  int // arguments
	bulk  int // bytes of an argument
	total int // bytes of the command as it is sent
}

// The limits of those who have not logged in, and of lines.
var strangerLimits = limits{args: 10, bulk: 16 << 10, total: 64 << 10}

const (
	maxArgs   = 1 << 20
	maxInline = 64 << 10
	maxHeader = 64 // of "*3" or "$5" with its end
)

// protocolError is a mistake after which nobody knows where the next command begins.
type protocolError string

func (e protocolError) Error() string { return "Protocol error: " + string(e) }

// reader takes commands apart that a client sends: arrays of bulk strings, and lines of
// words. It keeps a command in the buffer until all of it has arrived, and its arguments
// are slices of the buffer. A length that is announced takes no memory: the buffer grows
// with the bytes that arrive.
//
//	buf   … taken │ start … pos │ pos … end │ room
//	               this command, parsed   arrived
type reader struct {
	limits limits
	buf    []byte
	start  int // of the command being read
	pos    int // behind what has been parsed of it
	end    int // of what has arrived

	left  int    // arguments to come; 0: the command begins at start
	bulk  int    // length of the argument being read, or −1: its header comes first
	spans []span // the arguments, counted from start
	words []byte // of an inline command, with escapes resolved
	line  bool   // the last command was an inline one: its arguments stand in words
	args  [][]byte
}

type span struct{ from, to int }

// next returns the arguments of the next command that has arrived as a whole, or nil if
// there is none. They are valid until the next call of next or room.
func (r *reader) next() ([][]byte, error) {
	for {
		if r.left == 0 {
			r.start, r.spans, r.bulk = r.pos, r.spans[:0], -1
			if r.pos == r.end {
				return nil, nil
			}
			if r.buf[r.pos] != '*' {
				args, whole, err := r.inline()
				if err != nil || !whole || len(args) > 0 {
					return args, err
				}
				continue
			}
			whole, err := r.count()
			if err != nil || !whole {
				return nil, err
			}
			continue
		}
		whole, err := r.argument()
		if err != nil || !whole {
			return nil, err
		}
		if r.left == 0 {
			return r.taken(), nil
		}
	}
}

// taken returns the arguments of a command that is complete.
func (r *reader) taken() [][]byte {
	r.args, r.line = r.args[:0], false
	for _, s := range r.spans {
		r.args = append(r.args, r.buf[r.start+s.from:r.start+s.to:r.start+s.to])
	}
	return r.args
}

// count parses the header of an array.
func (r *reader) count() (whole bool, err error) {
	n, whole, err := r.header("too big mbulk count string", "invalid multibulk length")
	switch {
	case err != nil || !whole:
		return false, err
	case n > maxArgs:
		return false, protocolError("invalid multibulk length")
	case n > int64(r.limits.args) && r.limits.args < maxArgs:
		return false, protocolError("unauthenticated multibulk length")
	}
	r.left = int(max(n, 0)) // an array of none, and nil, is no command
	return true, nil
}

// argument parses a bulk string, its header first.
func (r *reader) argument() (whole bool, err error) {
	if r.bulk < 0 {
		if r.pos < r.end && r.buf[r.pos] != '$' {
			return false, protocolError(fmt.Sprintf("expected '$', got '%c'", printable(r.buf[r.pos])))
		}
		n, whole, err := r.header("too big bulk count string", "invalid bulk length")
		switch {
		case err != nil || !whole:
			return false, err
		case n > int64(r.limits.bulk) && r.limits.bulk == strangerLimits.bulk:
			return false, protocolError("unauthenticated bulk length")
		case n < 0 || n > int64(r.limits.bulk) || int64(r.pos-r.start)+n > int64(r.limits.total):
			return false, protocolError("invalid bulk length")
		}
		r.bulk = int(n)
	}
	if r.end-r.pos < r.bulk+2 {
		return false, nil
	}
	r.spans = append(r.spans, span{r.pos - r.start, r.pos - r.start + r.bulk})
	r.pos += r.bulk + 2
	r.bulk = -1
	r.left--
	return true, nil
}

func printable(b byte) byte {
	if b < ' ' || b > '~' {
		return '?'
	}
	return b
}

// header parses the rest of a line that is a letter and a number.
func (r *reader) header(tooLong, invalid string) (n int64, whole bool, err error) {
	if n, end := plainHeader(r.buf[r.pos:r.end]); end > 0 {
		r.pos += end
		return n, true, nil
	}
	line := r.buf[r.pos:r.end]
	at := bytes.IndexByte(line[:min(len(line), maxHeader)], '\r')
	if at < 0 {
		if len(line) >= maxHeader {
			return 0, false, protocolError(tooLong)
		}
		return 0, false, nil
	}
	if at+1 >= len(line) {
		return 0, false, nil
	}
	n, ok := parseInt(line[1:at])
	if !ok {
		return 0, false, protocolError(invalid)
	}
	r.pos += at + 2
	return n, true, nil
}

// plainHeader is header of a line with one digit or two, as most are: it returns the number
// and where the line ends. Of any other line the end is 0.
func plainHeader(line []byte) (n int64, end int) {
	switch {
	case len(line) >= 4 && line[2] == '\r':
		if d := line[1] - '0'; d <= 9 {
			return int64(d), 4
		}
	case len(line) >= 5 && line[3] == '\r':
		if tens, ones := line[1]-'0', line[2]-'0'; tens-1 < 9 && ones <= 9 {
			return int64(10*tens + ones), 5
		}
	}
	return 0, 0
}

// inline parses a line of words. whole says that there was one; it may have no words.
func (r *reader) inline() (args [][]byte, whole bool, err error) {
	line := r.buf[r.pos:r.end]
	at := bytes.IndexByte(line[:min(len(line), maxInline)], '\n')
	if at < 0 {
		if len(line) >= maxInline {
			return nil, false, protocolError("too big inline request")
		}
		return nil, false, nil
	}
	r.pos += at + 1
	line = bytes.TrimSuffix(line[:at], []byte{'\r'})
	ok := true
	r.spans, r.words, ok = splitWords(r.spans[:0], r.words[:0], line)
	if !ok {
		return nil, false, protocolError("unbalanced quotes in request")
	}
	r.args, r.line = r.args[:0], true
	for _, s := range r.spans {
		r.args = append(r.args, r.words[s.from:s.to:s.to])
	}
	return r.args, true, nil
}

// splitWords takes a line apart as a shell does, with words in single or double quotes,
// and escapes in the latter. It appends the bytes of the words to words.
func splitWords(spans []span, words, line []byte) ([]span, []byte, bool) {
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return spans, words, true
		}
		from := len(words)
		for i < len(line) && !isSpace(line[i]) {
			quote := line[i]
			if quote != '"' && quote != '\'' {
				words = append(words, line[i])
				i++
				continue
			}
			var n int
			if words, n = quoted(words, line[i:], quote); n == 0 {
				return spans, words, false
			}
			if i += n; i < len(line) && !isSpace(line[i]) {
				return spans, words, false // a quote ends a word
			}
		}
		spans = append(spans, span{from, len(words)})
	}
}

// quoted appends what stands in the quotes that s begins with, and returns how many bytes
// of s that took; 0: they are not closed.
func quoted(dst, s []byte, quote byte) ([]byte, int) {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return dst, i + 1
		case s[i] != '\\' || i+1 == len(s):
			dst = append(dst, s[i])
		case quote == '\'':
			if s[i+1] == '\'' {
				i++
			}
			dst = append(dst, s[i])
		case s[i+1] == 'x' && i+3 < len(s) && hexDigit(s[i+2]) >= 0 && hexDigit(s[i+3]) >= 0:
			dst = append(dst, byte(hexDigit(s[i+2])<<4|hexDigit(s[i+3])))
			i += 3
		default:
			i++
			dst = append(dst, unescaped(s[i]))
		}
	}
	return dst, 0
}

func unescaped(b byte) byte {
	switch b {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return b
}

func hexDigit(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

func isSpace(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' || b == 0 }

// The sizes of the buffer: it begins with the first, and is given back beyond the second.
const (
	leastBuffer = 4 << 10
	keptBuffer  = 64 << 10
)

// room returns space behind what has arrived, for at least one byte. grow is asked for the
// bytes by which the buffer is to become larger, and may refuse.
func (r *reader) room(grow func(n int) bool) ([]byte, bool) {
	if r.start == r.end { // nothing is kept
		r.start, r.pos, r.end = 0, 0, 0
		if cap(r.buf) > keptBuffer {
			grow(-cap(r.buf))
			r.buf = nil
		}
	}
	switch {
	case r.end < len(r.buf):
		return r.buf[r.end:], true
	case r.start > len(r.buf)/2:
		n := copy(r.buf, r.buf[r.start:r.end])
		r.pos, r.end, r.start = r.pos-r.start, n, 0
		return r.buf[r.end:], true
	}
	size := max(leastBuffer, 2*len(r.buf))
	if !grow(size - len(r.buf)) {
		return nil, false
	}
	bigger := make([]byte, size)
	n := copy(bigger, r.buf[r.start:r.end])
	r.pos, r.end, r.start, r.buf = r.pos-r.start, n, 0, bigger
	return r.buf[r.end:], true
}

// arrived notes that n bytes were read into the room.
func (r *reader) arrived(n int) { r.end += n }
