package rdb

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// server is a redis-server on a socket of its own.
type server struct {
	dir  string
	conn net.Conn
	in   *bufio.Reader
	out  *bufio.Writer
	sent int // commands whose answers have not been read
}

// startRedis starts a server with the given settings, and ends it with the test.
func startRedis(t *testing.T, settings ...string) *server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("there is no redis-server")
	}
	dir, err := os.MkdirTemp("", "rdb-") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(path, append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--loglevel", "warning"}, settings...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return &server{dir: dir, conn: conn, in: bufio.NewReader(conn), out: bufio.NewWriter(conn)}
		}
		if cmd.ProcessState != nil || t.Context().Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// do sends a command whose answer is one line.
func (s *server) do(t *testing.T, args ...string) {
	t.Helper()
	fmt.Fprintf(s.out, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(s.out, "$%d\r\n%s\r\n", len(a), a)
	}
	if s.sent++; s.sent == 100 {
		s.answers(t)
	}
}

// answers reads the answers of all commands.
func (s *server) answers(t *testing.T) {
	t.Helper()
	if err := s.out.Flush(); err != nil {
		t.Fatal(err)
	}
	for ; s.sent > 0; s.sent-- {
		line, err := s.in.ReadString('\n')
		if err != nil || line[0] == '-' {
			t.Fatal(err, line)
		}
	}
}

// TestWhatRedisServerSavesIsRead puts values of many forms into a redis-server, with settings
// under which it packs collections and with some under which it does not.
func TestWhatRedisServerSavesIsRead(t *testing.T) {
	for name, settings := range map[string][]string{
		"packed":                      nil,
		"not compressed, no checksum": {"--rdbcompression", "no", "--rdbchecksum", "no"},
		"nothing packed":              {"--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0", "--set-max-intset-entries", "0", "--list-max-listpack-size", "1"},
		"short listpacks":             {"--list-max-listpack-size", "-1", "--hash-max-listpack-value", "4000", "--hash-max-listpack-entries", "4000"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startRedis(t, settings...)
			want := fillRedis(t, s)
			s.do(t, "SAVE")
			s.answers(t)
			f, err := os.Open(filepath.Join(s.dir, "dump.rdb"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got := map[string][]string{}
			for e, err := range Read(bufio.NewReader(f)) {
				if err != nil {
					t.Fatal(err)
				}
				key := fmt.Sprintf("%s/%s", e.Keyspace, e.Key)
				if !e.Expires.IsZero() {
					key += fmt.Sprint(" until ", e.Expires.UnixMilli())
				}
				if e.Type == typed.TypeString {
					got[key] = []string{string(e.Value)}
				}
				for _, v := range e.Elements {
					got[key] = append(got[key], fmt.Sprintf("%s=%s=%v", v.Name, v.Value, v.Score))
				}
				if e.Type != typed.TypeList {
					slices.Sort(got[key])
				}
			}
			for key, v := range want {
				if !slices.Equal(got[key], v) {
					t.Errorf("%s is %.300q, want %.300q", key, got[key], v)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d keys, want %d", len(got), len(want))
			}
		})
	}
}

// fillRedis sends values of every type, length and form of number, and returns what must be
// read.
func fillRedis(t *testing.T, s *server) map[string][]string {
	r, want := rand.New(rand.NewPCG(9, 9)), map[string][]string{}
	put := func(key string, elements ...string) {
		want[key] = elements
	}
	texts := []string{"", "a", strings.Repeat("ab", 31), strings.Repeat("x", 64), strings.Repeat("long", 1100), strings.Repeat("c", 20000), "\xff\x00\r\n"}
	for _, n := range []int64{0, 1, -1, 12, 13, 127, 128, -128, -129, 4095, 4096, -4096, -4097, 32767, 32768, -32769, 1<<23 - 1, 1 << 23, -1 << 23, 1<<31 - 1, 1 << 31, -1 << 31, 1 << 40, 1<<63 - 1, -1 << 63} {
		texts = append(texts, strconv.FormatInt(n, 10))
	}
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	texts = append(texts, string(noise), "1.5", "007", "-0", "99999999999999999999")
	for i, v := range texts {
		s.do(t, "SET", fmt.Sprint("s", i), v)
		put(fmt.Sprint("/s", i), v)
	}
	s.do(t, "SET", "temp", "x", "PXAT", "7258219445678")
	put("/temp until 7258219445678", "x")
	for _, n := range []int{1, 5, 100, 1200} {
		var hash, set, ints, zset, list []string
		key := strconv.Itoa(n)
		for i := range n {
			v := texts[i%len(texts)]
			name := fmt.Sprint(v, i) // 0 to 10,000 bytes and more, and numbers
			score := []float64{0, 1.5, -3, 1e300, 1.0 / 3}[i%5] + float64(i)
			s.do(t, "HSET", "h"+key, name, v)
			s.do(t, "SADD", "set"+key, name)
			s.do(t, "SADD", "ints"+key, strconv.FormatInt(int64(i)<<(n%40), 10))
			s.do(t, "ZADD", "z"+key, strconv.FormatFloat(score, 'g', 17, 64), name)
			s.do(t, "RPUSH", "l"+key, v)
			hash = append(hash, name+"="+v+"=0")
			set = append(set, name+"==0")
			ints = append(ints, strconv.FormatInt(int64(i)<<(n%40), 10)+"==0")
			zset = append(zset, fmt.Sprintf("%s==%v", name, score))
			list = append(list, "="+v+"=0")
		}
		for _, c := range [][]string{hash, set, ints, zset} {
			slices.Sort(c)
		}
		put("/h"+key, hash...)
		put("/set"+key, set...)
		put("/ints"+key, slices.Compact(ints)...)
		put("/z"+key, zset...)
		put("/l"+key, list...)
	}
	s.do(t, "SELECT", "3")
	s.do(t, "SET", "other", "Bob")
	put("db3/other", "Bob")
	return want
}
