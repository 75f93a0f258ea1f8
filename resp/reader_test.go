package resp

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// takeAll feeds input in pieces, and returns the commands as text, with the error that
// ended them.
func takeAll(input []byte, piece int, l limits) (all []string, err error) {
	r := reader{limits: l}
	for {
		args, err := r.next()
		if err != nil {
			return append(all, "error: "+err.Error()), err
		}
		if args != nil {
			all = append(all, fmt.Sprintf("%q", args))
			continue
		}
		if len(input) == 0 {
			return all, nil
		}
		room, _ := r.room(func(int) bool { return true })
		n := copy(room[:min(len(room), piece)], input)
		r.arrived(n)
		input = input[n:]
	}
}

var wide = limits{args: maxArgs, bulk: 1 << 20, total: 1 << 20}

func TestTheReaderTakesCommandsApart(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"*1\r\n$4\r\nPING\r\n", `["PING"]`},
		{"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", `["GET" ""]`},
		{"PING\r\nECHO  hi\n", `["PING"] ["ECHO" "hi"]`},
		{"\r\n\n*0\r\n*-1\r\nPING\r\n", `["PING"]`},
		{`SET "a b" 'c''` + "\n", "error: Protocol error: unbalanced quotes in request"},
		{`SET "\x41\n\"" 'it\'s'` + "\n", `["SET" "A\n\"" "it's"]`},
		{"*1\r\n:4\r\n", "error: Protocol error: expected '$', got ':'"},
		{"*x\r\n", "error: Protocol error: invalid multibulk length"},
		{"*3000000000\r\n", "error: Protocol error: invalid multibulk length"},
		{"*1\r\n$-1\r\n", "error: Protocol error: invalid bulk length"},
		{"*1\r\n$2000000000\r\n", "error: Protocol error: invalid bulk length"},
		{"*1\r\n$01\r\na\r\n", "error: Protocol error: invalid bulk length"},
		{"*" + strings.Repeat("1", 100), "error: Protocol error: too big mbulk count string"},
		{"*1\r\n$" + strings.Repeat("1", 100), "error: Protocol error: too big bulk count string"},
		{strings.Repeat("a", maxInline+1), "error: Protocol error: too big inline request"},
	} {
		for _, piece := range []int{1, 3, 1 << 20} {
			got, _ := takeAll([]byte(c.in), piece, wide)
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("%.60q in pieces of %d: %s, want %s", c.in, piece, text, c.want)
			}
		}
	}
}

func TestAStrangerHasSmallLimits(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"*11\r\n", "error: Protocol error: unauthenticated multibulk length"},
		{"*1\r\n$20000\r\n", "error: Protocol error: unauthenticated bulk length"},
	} {
		got, _ := takeAll([]byte(c.in), 100, strangerLimits)
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%q: %s, want %s", c.in, text, c.want)
		}
	}
}

// TestALengthTakesNoMemory: what is announced and does not come costs nothing.
func TestALengthTakesNoMemory(t *testing.T) {
	r := reader{limits: limits{args: maxArgs, bulk: 512 << 20, total: 512 << 20}}
	taken := 0
	for _, part := range []string{"*1000000\r\n", "$500000000\r\n", "abc"} {
		room, _ := r.room(func(n int) bool { taken += n; return true })
		r.arrived(copy(room, part))
		if args, err := r.next(); err != nil || args != nil {
			t.Fatalf("%q: %q, %v", part, args, err)
		}
	}
	if taken > 64<<10 || cap(r.spans) > 1000 {
		t.Errorf("%d bytes of buffer and room for %d arguments after three bytes", taken, cap(r.spans))
	}
}

func TestAReaderGivesALargeBufferBack(t *testing.T) {
	r := reader{limits: wide}
	held := 0
	grow := func(n int) bool { held += n; return true }
	input := encode("SET", "k", strings.Repeat("v", 500_000))
	for len(input) > 0 {
		room, _ := r.room(grow)
		n := copy(room, input)
		r.arrived(n)
		input = input[n:]
		if _, err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	if held < 500_000 {
		t.Fatalf("%d bytes were counted for a command of 500,000", held)
	}
	if args, err := r.next(); args != nil || err != nil {
		t.Fatal(args, err)
	}
	if r.room(grow); held > keptBuffer {
		t.Errorf("%d bytes are kept after the command", held)
	}
}

// FuzzReader: the same bytes are the same commands in whatever pieces they come.
func FuzzReader(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n"), 3)
	f.Add([]byte("SET \"a\\x41\" 'b'\r\n*-1\r\n*1\r\n$0\r\n\r\n"), 1)
	f.Add([]byte("*1\r\n$9\r\nabc"), 2)
	f.Fuzz(func(t *testing.T, input []byte, piece int) {
		piece = max(piece&0xff, 1)
		l := limits{args: maxArgs, bulk: 1000, total: 2000}
		whole, _ := takeAll(slices.Clone(input), max(len(input), 1), l)
		parts, _ := takeAll(slices.Clone(input), piece, l)
		if !slices.Equal(whole, parts) {
			t.Errorf("%q: %q at once, %q in pieces of %d", input, whole, parts, piece)
		}
	})
}

// FuzzReply: whatever is in a reply, a client finds its end.
func FuzzReply(f *testing.F) {
	f.Add([]byte("a\r\nb"), 1.5, int64(-1), true)
	f.Fuzz(func(t *testing.T, b []byte, d float64, n int64, third bool) {
		r := reply{proto: 2}
		if third {
			r.proto = 3
		}
		at := r.open()
		r.bulk(b)
		r.error(string(b))
		r.double(d)
		r.int(n)
		r.null()
		r.pairs(1)
		r.bool(true)
		r.verbatim(string(b))
		r.fix(at, '*', 6)
		in := bufio.NewReader(bytes.NewReader(r.buf))
		if _, err := readReply(in); err != nil {
			t.Errorf("%q: %v", r.buf, err)
		}
		if rest, _ := in.Peek(1); len(rest) > 0 {
			t.Errorf("%q: something is left", r.buf)
		}
	})
}

// FuzzRestore: no payload is more than refused, and one that is taken comes out the same.
func FuzzRestore(f *testing.F) {
	s, db, _ := serveStore(f, Options{Writable: true})
	c := call{s: s, c: &conn{s: s}, space: db, out: reply{proto: 2}}
	for _, cmd := range [][]string{{"SET", "a", "1"}, {"HSET", "b", "f", "v"}, {"SADD", "c", "m"}, {"ZADD", "d", "1", "m"}, {"RPUSH", "e", "x"}} {
		c.args, c.cmd = argsOf(cmd...), lookUp([]byte(cmd[0]))
		if err := c.cmd.run(&c); err != nil {
			f.Fatal(err)
		}
		f.Add(dumped(f, &c, cmd[1]))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c.args, c.cmd = [][]byte{[]byte("RESTORE"), []byte("k"), []byte("0"), payload, []byte("REPLACE")}, lookUp([]byte("restore"))
		if err := restore(&c); err != nil {
			return
		}
		if has, _ := db.Has([]byte("k")); !has {
			return
		}
		again := dumped(t, &c, "k")
		c.args[1], c.args[3] = []byte("l"), again
		if err := restore(&c); err != nil {
			t.Fatalf("%q is refused: %v", again, err)
		}
		if once := dumped(t, &c, "l"); !bytes.Equal(again, once) {
			t.Errorf("%q came out as %q", again, once)
		}
	})
}

func argsOf(words ...string) (args [][]byte) {
	for _, w := range words {
		args = append(args, []byte(w))
	}
	return args
}

// dumped returns the payload of a key.
func dumped(t testing.TB, c *call, key string) []byte {
	t.Helper()
	keep := c.args
	defer func() { c.args = keep }()
	c.args, c.out.buf = argsOf("DUMP", key), nil
	if err := dump(c); err != nil {
		t.Fatal(err)
	}
	_, payload, _ := bytes.Cut(c.out.buf, []byte("\r\n"))
	return bytes.Clone(payload[:len(payload)-2])
}

func TestPatternsMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"a*c", "abbc", true}, {"a*c", "abbd", false}, {"h?llo", "hello", true}, {"h[ae]llo", "hallo", true},
		{"h[^e]llo", "hello", false}, {"[a-c]x", "bx", true}, {`\*`, "*", true}, {`\*`, "a", false}, {"a**b", "ab", true}, {"", "", true}, {"", "a", false},
		{"*a*a*a*a*a*a*a*a*a*b", strings.Repeat("a", 200), false},
	} {
		if got := matches([]byte(c.pattern), []byte(c.s)); got != c.want {
			t.Errorf("%q and %.20q: %v", c.pattern, c.s, got)
		}
	}
}
