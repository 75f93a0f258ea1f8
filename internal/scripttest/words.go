package scripttest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
)

// split takes a line apart. A word in double quotes is a Go string, and may be
// repeated: "v"*5000.
func split(text string) (words []string, err error) {
	for {
		text = strings.TrimLeft(text, " ")
		if text == "" {
			return words, nil
		}
		if text[0] != '"' {
			word, rest, _ := strings.Cut(text, " ")
			words, text = append(words, word), rest
			continue
		}
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", quoted, err)
		}
		suffix, rest, _ := strings.Cut(text[len(quoted):], " ")
		if suffix != "" {
			n, err := strconv.Atoi(strings.TrimPrefix(suffix, "*"))
			if err != nil || suffix[0] != '*' || n < 0 || n > 1<<26 {
				return nil, fmt.Errorf("%q behind a quoted word", suffix)
			}
			word = strings.Repeat(word, n)
		}
		words, text = append(words, word), rest
	}
}

// shown is how many bytes of a long word an answer shows.
const shown = 60

// show writes bytes as a word of a script: bare where that reads back as the same,
// else quoted. Of long ones it tells the length.
func show(b []byte) string {
	word := string(b)
	switch {
	case len(word) > 16 && word == strings.Repeat(word[:1], len(word)):
		return fmt.Sprintf("%s*%d", strconv.Quote(word[:1]), len(word))
	case len(word) > shown:
		return fmt.Sprintf("%s... (%d bytes)", strconv.Quote(word[:shown/2]), len(word))
	case word == "" || strings.ContainsFunc(word, special):
		return strconv.Quote(word)
	}
	return word
}

// special reports whether a word with r in it is shown in quotes.
func special(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"=()`, r) }

// wide is where a line of an answer is broken.
const wide = 100

// wrap joins words to lines, or says that there are none.
func wrap(words []string) string {
	if len(words) == 0 {
		return "nothing"
	}
	var b strings.Builder
	column := 0
	for i, w := range words {
		switch {
		case i == 0:
		case column+len(w) >= wide:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(w)
		column += len(w)
	}
	return b.String()
}

// showKV shows what a scan yields: key=value, or key(type).
func showKV(key, value []byte, typ fmt.Stringer) string {
	if value == nil {
		return fmt.Sprintf("%s(%v)", show(key), typ)
	}
	return show(key) + "=" + show(value)
}

func showTTL(d time.Duration) string {
	if d == siltstone.NoTTL {
		return "forever"
	}
	return d.String()
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// showError is an error as an answer.
func showError(err error) string {
	if errors.Is(err, siltstone.ErrNotFound) && !strings.Contains(err.Error(), "\n") {
		return "not found"
	}
	text := "error: " + plain(err.Error())
	for _, n := range named {
		// A text that says what the error is about may leave out what kind it is.
		if kind := plain(n.Error()); errors.Is(err, n) && !strings.Contains(text, kind) {
			text += " (" + kind + ")"
		}
	}
	if doubt := misnamed(err); doubt != "" {
		text += "\n" + doubt
	}
	return text
}

// named are the errors that callers compare with.
var named = []error{
	siltstone.ErrNotFound, siltstone.ErrWrongType, siltstone.ErrTxDone, siltstone.ErrManaged, siltstone.ErrNested, siltstone.ErrClosed, siltstone.ErrReadOnly,
	siltstone.ErrLocked, siltstone.ErrCorruption, siltstone.ErrIndeterminate, siltstone.ErrPoisoned, siltstone.ErrNoSpace, siltstone.ErrConflict,
	siltstone.ErrFormatTooNew, siltstone.ErrEmptyKey, siltstone.ErrKeyTooLarge, siltstone.ErrValueTooLarge, siltstone.ErrBadRange, siltstone.ErrBadTTL,
	siltstone.ErrNotNumber, siltstone.ErrOverflow, siltstone.ErrNaN, siltstone.ErrOutOfRange, siltstone.ErrDropped, siltstone.ErrBadOption,
}

// misnamed says what the text of an error claims that errors.Is does not.
func misnamed(err error) string {
	parts := strings.Split(strings.ReplaceAll(plain(err.Error()), "\n", ": "), ": ")
	for _, n := range named {
		name := plain(n.Error())
		switch is := errors.Is(err, n); {
		case !is && slices.Contains(parts, name):
			return fmt.Sprintf("which is not %q, and says so", name)
		}
	}
	return ""
}

var (
	sizes     = regexp.MustCompile(`[0-9]+ (bytes|kept)`)
	checksums = regexp.MustCompile(`[0-9a-f]{16}`)
)

// plain is a text of the store without its name, and without what differs from run
// to run or with the format of the files: checksums and sizes.
func plain(text string) string {
	text = sizes.ReplaceAllString(strings.ReplaceAll(text, "siltstone: ", ""), "some $1")
	return checksums.ReplaceAllString(text, "(checksum)")
}

// rangeOf reads a range: nothing is all keys, "k*" the keys that start with k,
// two words are bounds, of which "-" is open.
func rangeOf(words []string) siltstone.Range {
	switch len(words) {
	case 0:
		return siltstone.Range{}
	case 1:
		prefix, ok := strings.CutSuffix(words[0], "*")
		if !ok {
			mistake("%q is neither a prefix, which ends in *, nor two bounds", words[0])
		}
		return siltstone.Prefix([]byte(prefix))
	}
	return siltstone.Range{Lower: bound(words[0]), Upper: bound(words[1])}
}

func bound(word string) []byte {
	if word == "-" {
		return nil
	}
	return []byte(word)
}

func showRange(r siltstone.Range) string {
	side := func(b []byte) string {
		if b == nil {
			return "-"
		}
		return show(b)
	}
	return side(r.Lower) + " " + side(r.Upper)
}

func number[T int | int64 | float64](word string) T {
	var n T
	if _, err := fmt.Sscan(word, &n); err != nil {
		mistake("%q is no number", word)
	}
	return n
}

// size reads a number of bytes: 4k, 8m.
func size(word string) int64 {
	unit := int64(1)
	if n, ok := strings.CutSuffix(word, "k"); ok {
		word, unit = n, 1<<10
	} else if n, ok := strings.CutSuffix(word, "m"); ok {
		word, unit = n, 1<<20
	}
	return number[int64](word) * unit
}

func duration(word string) time.Duration {
	if word == "forever" {
		return siltstone.NoTTL
	}
	d, err := time.ParseDuration(word)
	if err != nil {
		mistake("%q is no duration", word)
	}
	return d
}
