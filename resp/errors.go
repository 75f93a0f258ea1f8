package resp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/siltstonedb/siltstone"
)

// replyError is an error as a client gets it: a word in capitals, and a sentence.
type replyError string

func (e replyError) Error() string { return string(e) }

// The errors that clients look at are those of Redis, word by word.
const (
	errSyntax       = replyError("ERR syntax error")
	errNotInt       = replyError("ERR value is not an integer or out of range")
	errNotFloat     = replyError("ERR value is not a valid float")
	errOutOfRange   = replyError("ERR value is out of range")
	errPositive     = replyError("ERR value is out of range, must be positive")
	errAnyLong      = replyError("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
	errTooManyKeys  = replyError("ERR Number of keys can't be greater than number of args")
	errNoKey        = replyError("ERR no such key")
	errIndex        = replyError("ERR index out of range")
	errWrongType    = replyError("WRONGTYPE Operation against a key holding the wrong kind of value")
	errMinMaxFloat  = replyError("ERR min or max is not a float")
	errMinMaxLex    = replyError("ERR min or max not valid string range item")
	errBitOffset    = replyError("ERR bit offset is not an integer or out of range")
	errTooLong      = replyError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	errNoAuth       = replyError("NOAUTH Authentication required.")
	errWrongPass    = replyError("WRONGPASS invalid username-password pair or user is disabled.")
	errServerReads  = replyError("READONLY This server shows the store for reading: nothing can be written.")
	errExecAbort    = replyError("EXECABORT Transaction discarded because of previous errors.")
	errReplyTooLong = replyError("ERR the reply would be larger than this server's limit; read a part of it, or use a command of the SCAN family")
	errBuffersFull  = replyError("ERR this server's buffers are full; try again later")
)

func errArity(name string) error {
	return replyError(fmt.Sprintf("ERR wrong number of arguments for '%s' command", name))
}

func errNoPermission(name string) error {
	return replyError(fmt.Sprintf("NOPERM This user has no permissions to run the '%s' command", name))
}

func errExpire(name string) error {
	return replyError(fmt.Sprintf("ERR invalid expire time in '%s' command", name))
}

// errSubcommand is for a subcommand that is not there, or that is known and has another
// number of arguments.
func errSubcommand(name string, sub []byte, known ...string) error {
	for _, k := range known {
		if is(sub, k) {
			return errArity(strings.ToLower(name + "|" + k))
		}
	}
	return replyError(fmt.Sprintf("ERR unknown subcommand '%.128s'. Try %s HELP.", sub, name))
}

// errorTexts are errors of the store that clients of Redis know by another text.
var errorTexts = []struct {
	err  error
	text replyError
}{
	{siltstone.ErrWrongType, errWrongType},
	{siltstone.ErrNotNumber, errNotInt},
	{siltstone.ErrOverflow, "ERR increment or decrement would overflow"},
	{siltstone.ErrNaN, "ERR resulting score is not a number (NaN)"},
	{siltstone.ErrOutOfRange, errIndex},
	{siltstone.ErrValueTooLarge, errTooLong},
	{siltstone.ErrReadOnly, errServerReads},
	{siltstone.ErrNotFound, errNoKey},
}

// errorText returns the reply for an error.
func errorText(err error) string {
	var own replyError
	if errors.As(err, &own) {
		return string(own)
	}
	for _, e := range errorTexts {
		if errors.Is(err, e.err) {
			return string(e.text)
		}
	}
	return "ERR " + strings.TrimPrefix(err.Error(), "siltstone: ")
}

// instead returns text in the place of the error of, and any other error as it is.
func instead(err, of error, text replyError) error {
	if errors.Is(err, of) {
		return text
	}
	return err
}

// absent reports whether err is that of something missing, which is none to a client.
func absent(err error) bool {
	return err == siltstone.ErrNotFound || errors.Is(err, siltstone.ErrNotFound)
}
