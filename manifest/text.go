package manifest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
)

// String draws the version, a line for each run from newest to oldest, in the
// words that ParseVersion reads.
func (v *Version) String() string {
	var b strings.Builder
	for _, r := range v.Runs {
		fmt.Fprintf(&b, "L%d #%d:", r.Level, r.Age)
		for _, t := range r.Tables {
			b.WriteByte(' ')
			b.WriteString(t.String())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// String draws the table without its place: `31[c-k){size=4096,puts=12}`. Keys
// that are not plain words are quoted; what is zero is left out, and so is an
// id equal to the number.
func (t *Table) String() string {
	end := ']'
	if t.LargestExclusive {
		end = ')'
	}
	s := fmt.Sprintf("%d[%s-%s%c", uint64(t.Num), keyText(t.Smallest), keyText(t.Largest), end)
	var props []string
	for _, f := range t.textFields() {
		if v := f.get(); v != f.zero {
			props = append(props, f.name+"="+strconv.FormatUint(v, 10))
		}
	}
	if len(props) == 0 {
		return s
	}
	return s + "{" + strings.Join(props, ",") + "}"
}

// textField is a property by its name in the text.
type textField struct {
	name string
	zero uint64 // what it is if the text does not say
	get  func() uint64
	set  func(uint64)
}

// number is what a property is made of.
type number interface{ ~uint64 | ~int64 }

func field[T number](name string, p *T) textField {
	return textField{name: name, get: func() uint64 { return uint64(*p) }, set: func(v uint64) { *p = T(v) }}
}

// textFields returns the properties of t that have names in the text.
func (t *Table) textFields() []textField {
	id := field("id", &t.ID)
	id.zero = uint64(t.Num)
	return []textField{
		id, field("size", &t.Size), field("digest", &t.Digest),
		field("minseq", &t.MinSeq), field("maxseq", &t.MaxSeq),
		field("puts", &t.Puts), field("dels", &t.Deletes), field("rangedels", &t.RangeDeletes),
		field("meta", &t.MetaRows), field("collbytes", &t.CollectionBytes),
		field("keybytes", &t.KeyBytes), field("valuebytes", &t.ValueBytes), field("shadowed", &t.Shadowed),
		field("expiring", &t.Expiring), field("minexpiry", &t.MinExpiry), field("maxexpiry", &t.MaxExpiry),
	}
}

// keyText returns key as it is if it is letters and digits, else quoted.
func keyText(key []byte) string {
	plain := len(key) > 0
	for _, c := range key {
		plain = plain && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == ':')
	}
	if plain {
		return string(key)
	}
	return strconv.Quote(string(key))
}

// String draws the edit on one line: what it removes with "-", what it adds
// with "+".
func (e *Edit) String() string {
	var words []string
	for _, n := range e.Removed {
		words = append(words, fmt.Sprintf("-%d", uint64(n)))
	}
	for _, t := range e.Added {
		words = append(words, fmt.Sprintf("+L%d#%d:%s", t.Level, t.Run, t))
	}
	words = append(words, numbersText(e.MinLog, e.LastSeq, e.Clock, e.FileLimit, e.IDLimit, e.KeyspaceLimit)...)
	words = append(words, rangesText("nominated", e.Nominated)...)
	words = append(words, rangesText("settled", e.Settled)...)
	if e.Clean {
		words = append(words, "clean")
	}
	return strings.Join(words, " ")
}

// String draws the state: a line of numbers, then the version.
func (s *State) String() string {
	words := []string{fmt.Sprintf("format=%d db=%016x", s.FormatVersion, s.DBID)}
	if s.Parent != 0 {
		words = append(words, fmt.Sprintf("parent=%016x", s.Parent))
	}
	words = append(words, numbersText(s.MinLog, s.LastSeq, s.Clock, s.FileLimit, s.IDLimit, s.KeyspaceLimit)...)
	words = append(words, rangesText("nominated", s.Nominated)...)
	if s.Clean {
		words = append(words, "clean")
	}
	return strings.Join(words, " ") + "\n" + s.Version.String()
}

func numbersText(minLog base.FileNum, lastSeq base.SeqNum, clock int64, files base.FileNum, ids uint64, keyspaces uint32) (words []string) {
	for _, f := range []struct {
		name string
		v    uint64
	}{
		{"minlog=", uint64(minLog)}, {"lastseq=", uint64(lastSeq)}, {"clock=", uint64(clock)},
		{"files<", uint64(files)}, {"ids<", ids}, {"keyspaces<", uint64(keyspaces)},
	} {
		if f.v != 0 {
			words = append(words, f.name+strconv.FormatUint(f.v, 10))
		}
	}
	return words
}

func rangesText(name string, list []IDRange) (words []string) {
	for _, r := range list {
		words = append(words, name+"="+r.String())
	}
	return words
}

// String draws the range: "0/7" or "3/7-9".
func (r IDRange) String() string {
	if r.First == r.Last {
		return fmt.Sprintf("%d/%d", r.Keyspace, r.First)
	}
	return fmt.Sprintf("%d/%d-%d", r.Keyspace, r.First, r.Last)
}
