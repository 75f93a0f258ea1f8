package conformance

import (
	"errors"
	"iter"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// refusal renders an error of Siltstone's as its class.
func refusal(err error) string {
	for _, c := range []struct {
		err   error
		class string
	}{
		{siltstone.ErrWrongType, "WRONGTYPE"}, {siltstone.ErrNotFound, "NOTFOUND"}, {siltstone.ErrOverflow, "OVERFLOW"},
		{siltstone.ErrNaN, "NAN"}, {siltstone.ErrNotNumber, "NUMBER"}, {siltstone.ErrOutOfRange, "RANGE"},
		{siltstone.ErrBadOption, "SYNTAX"}, {siltstone.ErrBadTTL, "TTL"},
		{siltstone.ErrValueTooLarge, "TOOLARGE"},
	} {
		if errors.Is(err, c.err) {
			return "!" + c.class
		}
	}
	return "!" + err.Error()
}

// Answers of Siltstone's calls, rendered as reply renders those of Redis.

func count[N int | int64](n N, err error) string {
	if err != nil {
		return refusal(err)
	}
	return strconv.FormatInt(int64(n), 10)
}

func flag(b bool, err error) string {
	if b {
		return count(1, err)
	}
	return count(0, err)
}

// done is 1 if there was something to change, 0 if not.
func done(err error) string {
	if errors.Is(err, siltstone.ErrNotFound) {
		return "0"
	}
	return count(1, err)
}

func status(err error) string {
	if err != nil {
		return refusal(err)
	}
	return `"OK"`
}

func blob(v []byte, err error) string {
	switch {
	case errors.Is(err, siltstone.ErrNotFound):
		return "(nil)"
	case err != nil:
		return refusal(err)
	case v == nil:
		return "(nil)"
	}
	return strconv.Quote(string(v))
}

// orNil is for one thing that may be missing.
func orNil[T any](v T, err error, show func(T, error) string) string {
	if errors.Is(err, siltstone.ErrNotFound) {
		return "(nil)"
	}
	return show(v, err)
}

func fraction(f float64, err error) string {
	if err != nil {
		return refusal(err)
	}
	return number(f)
}

func list[T any](all []T, err error, show func(T) string) string {
	if err != nil {
		return refusal(err)
	}
	parts := make([]string, len(all))
	for i, v := range all {
		parts[i] = show(v)
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// loop renders a loop; show is called before the next step.
func loop[T any](seq iter.Seq2[T, error], show func(T) string) string {
	var parts []string
	for v, err := range seq {
		if err != nil {
			return refusal(err)
		}
		parts = append(parts, show(v))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func bytesText(b []byte) string { return blob(b, nil) }

func fieldText(f typed.Field) string {
	return strconv.Quote(f.Name) + " " + strconv.Quote(string(f.Value))
}

func memberText(m typed.Member) string { return strconv.Quote(m.Name) + " " + number(m.Score) }
