package main

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

// bytes returns the bytes of a key, prefix, bound, field or keyspace that was given as an
// argument: with --hex two digits a byte; in double quotes a Go string literal, as keys
// are shown; else the argument as it is.
func (t *tool) bytes(arg string) ([]byte, error) {
	if t.hexKeys {
		b, err := hex.DecodeString(arg)
		if err != nil {
			return nil, usagef("%q is not hexadecimal, which --hex asks for", arg)
		}
		return b, nil
	}
	if len(arg) >= 2 && strings.HasPrefix(arg, `"`) && strings.HasSuffix(arg, `"`) {
		s, err := strconv.Unquote(arg)
		if err != nil {
			return nil, usagef("%s is no Go string literal; a key that begins and ends with a quote is to be quoted whole", arg)
		}
		return []byte(s), nil
	}
	return []byte(arg), nil
}

// key is bytes for a key, which has at least one.
func (t *tool) key(arg string) ([]byte, error) {
	b, err := t.bytes(arg)
	if err == nil && len(b) == 0 {
		err = usagef("a key has at least one byte")
	}
	return b, err
}

// sizeFlag is a number of bytes, such as 64MiB.
type sizeFlag struct{ bytes int64 }

// Set implements pflag.Value.
func (s *sizeFlag) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<62 {
		return fmt.Errorf("%q is no size such as 64MiB", text)
	}
	s.bytes = int64(n)
	return nil
}

func (s *sizeFlag) String() string { return size(s.bytes) }

// Type implements pflag.Value.
func (s *sizeFlag) Type() string { return "size" }

// atLeastZero is a number that is not below zero.
type atLeastZero struct{ n *int64 }

// Set implements pflag.Value.
func (a atLeastZero) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return fmt.Errorf("%q is no number from 0 on", text)
	}
	*a.n = int64(n)
	return nil
}

func (a atLeastZero) String() string { return strconv.FormatInt(*a.n, 10) }

// Type implements pflag.Value.
func (a atLeastZero) Type() string { return "int" }

// limitFlag adds --limit, which bounds what a command shows.
func limitFlag(cmd *cobra.Command, limit *int64, normal int64, usage string) {
	*limit = normal
	cmd.Flags().VarP(atLeastZero{limit}, "limit", "n", usage)
}

// size returns n bytes for people.
func size[N int | int64 | uint64](n N) string {
	if n < 0 {
		return "unknown"
	}
	return humanize.IBytes(uint64(n))
}

// count returns a number for people, with commas.
func count[N int | int64 | uint64](n N) string { return humanize.Comma(int64(n)) }

// counted returns a number with its noun.
func counted[N int | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// lasting returns a duration for people: three digits and no more than two units.
func lasting(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + lasting(-d)
	case d < time.Second:
		return d.Round(max(1, d/1000)).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// moment returns a time for people, in UTC.
func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.000 UTC") }
