package manifest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
)

// ParseVersion makes a version from its picture, for tests. Each line is a run,
// newest first; blank lines are skipped:
//
//	L0 #9: 31[c-k]
//	L2 #5: 22[a-g]{size=4096,puts=10} 24["h\x00"-z)
//	L6 #1: 11[a-d]{minseq=1,maxseq=40}
//
// "L2 #5:" is level and run; "22[a-g]" is table 22 with keys a to g, and ")" in
// place of "]" makes the largest key exclusive. A key is letters, digits, "_",
// "." and ":", or a Go string literal. In braces stand properties, which are
// 0 if they are not named: id (the table's number if not named), size, digest,
// minseq, maxseq, puts, dels, rangedels, meta, collbytes, keybytes, valuebytes,
// shadowed, expiring, minexpiry, maxexpiry. No word has spaces in it, quoted
// keys excepted. The version is checked.
func ParseVersion(text string) (*Version, error) {
	v := &Version{}
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		r, err := parseRun(line)
		if err != nil {
			return nil, fmt.Errorf("%w in %q", err, strings.TrimSpace(line))
		}
		v.Runs = append(v.Runs, r)
	}
	return v, v.Check()
}

var errSyntax = errors.New("syntax error")

func parseRun(line string) (r Run, err error) {
	head, rest, ok := strings.Cut(line, ":")
	if _, err := fmt.Sscanf(strings.TrimSpace(head), "L%d #%d", &r.Level, &r.Age); err != nil || !ok {
		return r, errSyntax
	}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		var t *Table
		if t, rest, err = parseTable(rest); err != nil {
			return r, err
		}
		t.Level, t.Run = r.Level, r.Age
		r.Tables = append(r.Tables, t)
	}
	return r, nil
}

// parseTable parses the table that s begins with and returns what is behind it.
func parseTable(s string) (t *Table, rest string, err error) {
	num, rest, ok := strings.Cut(s, "[")
	n, err := strconv.ParseUint(num, 10, 63)
	if err != nil || !ok {
		return nil, "", errSyntax
	}
	t = &Table{Num: base.FileNum(n)}
	t.ID = n
	if t.Smallest, rest, err = parseKey(rest); err != nil {
		return nil, "", err
	}
	if rest, ok = strings.CutPrefix(rest, "-"); !ok {
		return nil, "", errSyntax
	}
	if t.Largest, rest, err = parseKey(rest); err != nil || rest == "" {
		return nil, "", errSyntax
	}
	switch rest[0] {
	case ')':
		t.LargestExclusive = true
	case ']':
	default:
		return nil, "", errSyntax
	}
	rest = rest[1:]
	if !strings.HasPrefix(rest, "{") {
		return t, rest, nil
	}
	props, rest, ok := strings.Cut(rest[1:], "}")
	if !ok {
		return nil, "", errSyntax
	}
	return t, rest, t.parseProperties(props)
}

func parseKey(s string) (key []byte, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, "", errSyntax
		}
		k, err := strconv.Unquote(quoted)
		return []byte(k), s[len(quoted):], err
	}
	n := strings.IndexAny(s, "-])")
	if n <= 0 || keyText([]byte(s[:n])) != s[:n] {
		return nil, "", errSyntax
	}
	return []byte(s[:n]), s[n:], nil
}

func (t *Table) parseProperties(list string) error {
	fields := t.textFields()
	for prop := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(prop, "=")
		v, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: property %q", errSyntax, prop)
		}
		known := false
		for _, f := range fields {
			if f.name == name {
				f.set(v)
				known = true
			}
		}
		if !known {
			return fmt.Errorf("%w: unknown property %q", errSyntax, name)
		}
	}
	return nil
}
