package resp

import (
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/leaktest"
)

var update = flag.Bool("update", false, "write the replies of the scripts anew")

func TestMain(m *testing.M) { leaktest.Main(m) }

// A script is lines of commands, with the reply below each, indented. A line that begins
// with ! is a command to which Redis 7.0 replies otherwise, or that it does not have. A line
// that begins with # is a comment. Words are those of an inline command.

type step struct {
	command string
	ours    bool // Redis replies otherwise
	reply   string
	line    int
}

func readScript(t *testing.T, name string) (lines []string, steps []step) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	for i, line := range lines {
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "    "):
			steps[len(steps)-1].reply = line[4:]
		default:
			command, ours := strings.CutPrefix(line, "!")
			steps = append(steps, step{command, ours, "", i})
		}
	}
	return lines, steps
}

// play sends the commands of a script, and returns the replies.
func play(c *client, steps []step, skipOurs bool) (replies []string) {
	for _, s := range steps {
		if skipOurs && s.ours && strings.HasPrefix(s.command, "H") { // commands of fields with a deadline
			replies = append(replies, s.reply)
			continue
		}
		if _, err := c.conn.Write([]byte(s.command + "\r\n")); err != nil {
			c.t.Fatal(err)
		}
		replies = append(replies, c.receive())
	}
	return replies
}

func TestScriptsHaveTheRepliesOfRedis(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	redis := startRedis(t)
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			lines, steps := readScript(t, name)
			_, _, addr := serveStore(t, Options{Writable: true, SoleWriter: true})
			got := play(dial(t, addr), steps, false)
			if *update {
				writeScript(t, name, lines, steps, got)
			}
			for i, s := range steps {
				if got[i] != s.reply && !*update {
					t.Errorf("%s:%d: %s\n got %s\nwant %s", name, s.line+1, s.command, got[i], s.reply)
				}
			}
			if redis == "" {
				return
			}
			c := dial(t, redis)
			c.want("+OK", "FLUSHALL")
			for i, reply := range play(c, steps, true) {
				if same := reply == got[i]; same == steps[i].ours && !strings.HasPrefix(steps[i].command, "H") {
					t.Errorf("%s:%d: %s\nours  %s\nredis %s", name, steps[i].line+1, steps[i].command, got[i], reply)
				}
			}
		})
	}
}

func writeScript(t *testing.T, name string, lines []string, steps []step, replies []string) {
	t.Helper()
	at := map[int]string{}
	for i, s := range steps {
		at[s.line] = replies[i]
	}
	var b strings.Builder
	for i, line := range lines {
		if strings.HasPrefix(line, "    ") {
			continue
		}
		b.WriteString(line + "\n")
		if reply, ok := at[i]; ok {
			b.WriteString("    " + reply + "\n")
		}
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// startRedis starts a redis-server 7.0 on a free port and returns its address, or "" if
// there is none here.
func startRedis(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return ""
	}
	if out, _ := exec.Command(path, "--version").Output(); !strings.Contains(string(out), "v=7.0.") {
		return ""
	}
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := probe.Addr().String()
	port := strconv.Itoa(probe.Addr().(*net.TCPAddr).Port)
	probe.Close()
	server := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	until(t, "redis-server answers", func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return addr
}
