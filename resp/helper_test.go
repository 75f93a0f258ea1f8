package resp

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

var long = flag.Bool("long", false, "the long tier: ten thousand hostile clients, more rounds")

// serveStore serves a store in memory on a loopback port, and ends both with the test.
func serveStore(t testing.TB, o Options) (*Server, *siltstone.DB, string) {
	t.Helper()
	db, err := siltstone.Open("store", &siltstone.Options{FS: vfs.NewMem(), Durability: siltstone.BufferedDurability, MemoryLimit: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(db, &o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
		if n := s.buffers.Load(); n != 0 {
			t.Errorf("%d bytes of buffers are counted after the last connection", n)
		}
		if n := s.interest.count.Load(); n != 0 {
			t.Errorf("%d clients watch or wait after the last connection", n)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, db, l.Addr().String()
}

// client speaks the protocol as simply as possible.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t, conn, bufio.NewReader(conn)}
}

func encode(args ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

func (c *client) send(args ...string) {
	c.t.Helper()
	if _, err := c.conn.Write(encode(args...)); err != nil {
		c.t.Fatal(err)
	}
}

// receive returns the next reply as text.
func (c *client) receive() string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	s, err := readReply(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *client) do(args ...string) string {
	c.t.Helper()
	c.send(args...)
	return c.receive()
}

// want sends a command and compares the reply.
func (c *client) want(reply string, args ...string) {
	c.t.Helper()
	if got := c.do(args...); got != reply {
		c.t.Errorf("%q: %s, want %s", args, got, reply)
	}
}

// closed reports whether the server has ended the connection, once all replies are read.
func (c *client) closed() bool {
	_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, c.r)
	var ne net.Error
	return err == nil || !errors.As(err, &ne) || !ne.Timeout()
}

// readReply reads a reply and shows it: 7, "bytes", +status, -error, (nil), [a list],
// {a map}, <a set>, >[a message], 1.5 as a double.
func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line, ok := strings.CutSuffix(line, "\r\n")
	if !ok || line == "" {
		return "", fmt.Errorf("a line ends in %q", line)
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+', '-', ',', '#', '(':
		return line, nil
	case ':':
		return rest, nil
	case '_':
		return "(nil)", nil
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return "", fmt.Errorf("line %q: %w", line, err)
	}
	switch {
	case n < 0:
		return "(nil)", nil
	case kind == '$' || kind == '=':
		b := make([]byte, n+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if string(b[n:]) != "\r\n" {
			return "", fmt.Errorf("a string ends in %q", b[n:])
		}
		return strconv.Quote(string(b[:n])), nil
	case kind == '%':
		return readList(r, 2*n, "{", "}")
	case kind == '~':
		return readList(r, n, "<", ">")
	case kind == '>':
		return readList(r, n, ">[", "]")
	case kind == '*':
		return readList(r, n, "[", "]")
	}
	return "", fmt.Errorf("line %q", line)
}

func readList(r *bufio.Reader, n int, open, end string) (string, error) {
	parts := make([]string, n)
	for i := range parts {
		var err error
		if parts[i], err = readReply(r); err != nil {
			return "", err
		}
	}
	return open + strings.Join(parts, " ") + end, nil
}

// until waits for something that another goroutine does.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for range 3000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain until %s", what)
}
