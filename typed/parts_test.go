package typed

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
)

func TestGlobsAreThoseOfRedis(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"", []string{""}, []string{"a"}},
		{"*", []string{"", "a", "a/b\x00"}, nil},
		{"a?c", []string{"abc", "a\xffc"}, []string{"ac", "abbc"}},
		{"a*b*c", []string{"abc", "aXbYbZc"}, []string{"abcd", "ac"}},
		{"***a", []string{"a", "bba"}, []string{"ab"}},
		{"[abc]x", []string{"ax", "cx"}, []string{"dx", "x"}},
		{"[a-c]", []string{"a", "b", "c"}, []string{"d", "-"}},
		{"[c-a]", []string{"a", "b", "c"}, []string{"d"}},
		{"[^a-c]", []string{"d", "^"}, []string{"a", "b", ""}},
		{"[a^]", []string{"a", "^"}, []string{"b"}},
		{`[\]a]`, []string{"]", "a"}, []string{`\`}},
		{"[]", nil, []string{"", "]", "[]"}},
		{"[^]", []string{"a", "]"}, []string{""}},
		{"[abc", []string{"a", "c"}, []string{"[", "ab"}},
		{"[a-", []string{"a", "-"}, []string{"b"}},
		{`\*`, []string{"*"}, []string{"a", `\*`}},
		{`\\`, []string{`\`}, []string{`\\`}},
		{`a\`, []string{`a\`}, []string{"a"}},
		{"user:*:name", []string{"user:1:name", "user::name"}, []string{"user:1:nam"}},
	} {
		g := parseGlob(c.pattern)
		for _, s := range c.yes {
			if !g.match([]byte(s)) {
				t.Errorf("%q does not match %q", c.pattern, s)
			}
			if !strings.HasPrefix(s, globPrefix(c.pattern)) {
				t.Errorf("prefix %q of %q rules out %q", globPrefix(c.pattern), c.pattern, s)
			}
		}
		for _, s := range c.no {
			if g.match([]byte(s)) {
				t.Errorf("%q matches %q", c.pattern, s)
			}
		}
	}
}

// Each match would take a billion steps if what stands between two stars were tried at each byte.
func TestGlobOfManyElementsIsFoundInOnePass(t *testing.T) {
	name := []byte(strings.Repeat("a", base.MaxKeyLen))
	half := base.MaxKeyLen / 2
	for _, pattern := range []string{
		"*" + strings.Repeat("a", half) + "b*",
		"*" + strings.Repeat("?a", half/2) + "b*",
		"*" + strings.Repeat("[ab]", half) + "b*",
		strings.Repeat("*a", half) + "*b*",
		strings.Repeat("a", 3*half) + "*",
	} {
		g := parseGlob(pattern)
		for range 4 {
			if g.match(name) {
				t.Fatalf("%.20q… matches", pattern)
			}
		}
	}
	name[len(name)-1] = 'b'
	for _, pattern := range []string{"*" + strings.Repeat("a", half) + "b*", "*" + strings.Repeat("?a", half/2) + "b*"} {
		if g := parseGlob(pattern); !g.match(name) {
			t.Errorf("%.20q… does not match", pattern)
		}
	}
	// A pattern may have any length; what is kept of it is bounded by that of names.
	if g := parseGlob(strings.Repeat("a", 100*base.MaxKeyLen)); g.match(name) || len(g.parts[0].elements) > base.MaxKeyLen+1 {
		t.Errorf("%d elements are kept", len(g.parts[0].elements))
	}
}

// The parts between stars are found as a pattern that is tried at each byte would find them.
func TestGlobMatchesWhatTryingMatches(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(from string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = from[rnd.IntN(len(from))]
		}
		return string(b)
	}
	for range 20_000 {
		pattern, s := pick("ab?*", rnd.IntN(8)), pick("ab", rnd.IntN(12))
		if rnd.IntN(50) == 0 {
			pattern, s = pattern+pick("ab?", 130), pick("ab", 5)+s+pick("a", 130)
		}
		g := parseGlob(pattern)
		if got, want := g.match([]byte(s)), tried(pattern, s); got != want {
			t.Fatalf("%q, %q: %v", pattern, s, got)
		}
	}
}

// tried matches a pattern of literals, question marks and stars.
func tried(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return tried(pattern[1:], s) || s != "" && tried(pattern, s[1:])
	}
	return s != "" && (pattern[0] == '?' || pattern[0] == s[0]) && tried(pattern[1:], s[1:])
}

// These would take hours if stars or classes cost more than they should.
func TestGlobTakesNoMoreStepsThanElementsTimesBytes(t *testing.T) {
	g := parseGlob(strings.Repeat("a*", 200) + "b")
	if g.match([]byte(strings.Repeat("a", 5000))) {
		t.Error("many stars match")
	}
	long := "[" + strings.Repeat("bcdefgh", 2000) + "]"
	if g = parseGlob("*" + long); len(g.parts[1].elements) != 1 {
		t.Errorf("a long class is %d elements", len(g.parts[1].elements))
	}
	name := []byte(strings.Repeat("a", 60_000))
	if g.match(name) {
		t.Error("a long class matches")
	}
	name[len(name)-1] = 'h'
	if !g.match(name) {
		t.Error("a long class does not match the last byte")
	}
	g = parseGlob("*" + strings.Repeat("[^b-z]", 100) + "h")
	if !g.match(name) {
		t.Error("many classes do not match")
	}
	if n := testing.AllocsPerRun(1, func() { g.match(name) }); n != 0 {
		t.Errorf("a match allocates %v times", n)
	}
}

func TestIntegersHaveOneForm(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 42, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, 1e18} {
		if got, err := parseInt(appendInt(nil, v)); err != nil || got != v {
			t.Errorf("%d: %d %v", v, got, err)
		}
	}
	for _, s := range []string{"", "-", "+1", "-0", "00", "01", " 1", "1 ", "1.0", "1e3", "0x1", "a",
		"9223372036854775808", "-9223372036854775809", "99999999999999999999", "18446744073709551616"} {
		if v, err := parseInt([]byte(s)); !errors.Is(err, base.ErrNotNumber) {
			t.Errorf("%q: %d %v", s, v, err)
		}
	}
	for _, c := range []struct {
		a, b int64
		ok   bool
	}{
		{math.MaxInt64, 1, false}, {math.MaxInt64, 0, true}, {math.MinInt64, -1, false}, {math.MinInt64, 0, true},
		{math.MaxInt64, math.MinInt64, true}, {-1, math.MinInt64, false}, {1, math.MaxInt64, false}, {0, math.MinInt64, true},
	} {
		sum, err := addInt(c.a, c.b)
		if (err == nil) != c.ok || c.ok && sum != c.a+c.b {
			t.Errorf("%d + %d: %d %v", c.a, c.b, sum, err)
		}
	}
}

func TestSpanIsThatOfRedis(t *testing.T) {
	for _, c := range []struct{ start, stop, length, first, n int64 }{
		{0, -1, 5, 0, 5}, {0, 0, 5, 0, 1}, {-3, -2, 5, 2, 2}, {-100, 100, 5, 0, 5}, {4, 3, 5, 0, 0},
		{5, 9, 5, 0, 0}, {0, -6, 5, 0, 0}, {0, -1, 0, 0, 0}, {math.MinInt64, math.MaxInt64, 5, 0, 5},
		{math.MaxInt64, math.MaxInt64, 5, 0, 0}, {math.MinInt64, math.MinInt64, 5, 0, 0},
	} {
		if first, n := span(c.start, c.stop, c.length); first != c.first || n != c.n {
			t.Errorf("span(%d, %d, %d) = %d, %d", c.start, c.stop, c.length, first, n)
		}
	}
}

func TestDeadlinesRoundUpToMilliseconds(t *testing.T) {
	for _, c := range []struct {
		ttl  time.Duration
		want int64
	}{
		{1, 1001}, {time.Millisecond, 1001}, {time.Millisecond + 1, 1002}, {0, 1000}, {-1, 1000},
		{-time.Millisecond, 999}, {NoTTL, 0}, {math.MinInt64, 1}, {NoTTL - 1, 1000 + math.MaxInt64/1_000_000 + 1},
	} {
		if got := deadlineIn(1000, c.ttl); got != c.want {
			t.Errorf("deadlineIn(1000, %d) = %d, want %d", c.ttl, got, c.want)
		}
	}
	for _, c := range []struct {
		at   time.Time
		want int64
		err  error
	}{
		{time.Time{}, 0, nil}, {time.Unix(0, 0), 1, nil}, {time.Unix(-5, 0), 1, nil}, {time.Unix(5, 0), 5000, nil},
		{time.Unix(5, 1), 5001, nil}, {time.Unix(5, 999_999_999), 6000, nil}, {time.Unix(math.MaxInt64, 0), 0, nil},
		{time.Unix(1<<53, 0), 0, base.ErrBadTTL},
	} {
		got, err := deadlineAt(c.at)
		if c.at.Unix() == math.MaxInt64 {
			continue // Time wraps: what it means then is its own affair
		}
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("deadlineAt(%v) = %d %v", c.at, got, err)
		}
	}
	for _, c := range []struct {
		expiry int64
		want   time.Duration
	}{{0, NoTTL}, {1001, time.Millisecond}, {1 << 62, NoTTL - 1}} {
		if got := ttlOf(1000, c.expiry); got != c.want {
			t.Errorf("ttlOf(1000, %d) = %v", c.expiry, got)
		}
	}
}

func TestNamesAreCutFromFewChunks(t *testing.T) {
	var names nameArena
	var got, want []string
	for i := range 2000 {
		s := strings.Repeat(strconv.Itoa(i), i%20)
		got, want = append(got, names.name([]byte(s))), append(want, s)
	}
	got, want = append(got, names.name(make([]byte, 5000))), append(want, string(make([]byte, 5000)))
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("name %d is %q", i, got[i])
		}
	}
	b := []byte("a name of 20 bytes..")
	allocs := testing.AllocsPerRun(10, func() {
		var names nameArena
		for range 1000 {
			names.name(b)
		}
	})
	if allocs > 12 {
		t.Errorf("%v allocations for 20 kB of names", allocs)
	}
}

func TestCondContradictions(t *testing.T) {
	for _, c := range []struct {
		c, allowed Cond
		refused    bool
	}{
		{0, 0, false}, {CondNX, CondNX | CondXX, false}, {CondNX | CondXX, CondNX | CondXX, true}, {CondGT, CondNX | CondXX, true},
		{CondXX | CondGT | CondCH, CondNX | CondXX | CondGT | CondLT | CondCH, false}, {CondGT | CondLT, CondNX | CondXX | CondGT | CondLT, true}, {1 << 7, 0xFF, false},
	} {
		if err := c.c.check(c.allowed); (err != nil) != c.refused {
			t.Errorf("%v of %v: %v", c.c, c.allowed, err)
		}
	}
	if fmt.Sprint(TypeZSet, TypeNone, Type(99)) != "zset none unknown" {
		t.Error(fmt.Sprint(TypeZSet, TypeNone, Type(99)))
	}
}
