package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// redisPrograms are the two programs of redis that a comparison needs.
type redisPrograms struct {
	server, benchmark string // paths
	version           string
}

// findRedis looks for the programs in dir, or in the PATH if dir is empty.
func findRedis(dir string) (p redisPrograms, err error) {
	find := func(name string) (path string) {
		if dir != "" {
			name = filepath.Join(dir, name)
		}
		path, e := exec.LookPath(name)
		err = errors.Join(err, e)
		return path
	}
	p.server, p.benchmark = find("redis-server"), find("redis-benchmark")
	if err != nil {
		return p, err
	}
	out, err := exec.Command(p.server, "--version").Output()
	if err != nil {
		return p, fmt.Errorf("redis-server --version: %w", err)
	}
	for _, field := range strings.Fields(string(out)) {
		if v, ok := strings.CutPrefix(field, "v="); ok {
			p.version = v
		}
	}
	return p, nil
}

// redisServer is a server with an append-only file on a port of its own.
type redisServer struct {
	port string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

const redisStart = 10 * time.Second // to answer its first PING

// start starts a server whose files are in dir.
func (p redisPrograms) start(dir string) (*redisServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &redisServer{port: port}
	s.cmd = exec.Command(p.server, "--port", port, "--bind", "127.0.0.1", "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		answer, err := s.ask("PING")
		if err == nil && answer == "+PONG" {
			return s, nil
		}
		if time.Since(begin) > redisStart {
			return nil, errors.Join(fmt.Errorf("redis-server does not answer: %v %q\n%s", err, answer, &s.log), s.stop())
		}
	}
}

// freePort returns a port of the loopback address that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// ask sends one command in words and returns the first line of the answer.
func (s *redisServer) ask(command string) (string, error) {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", s.port), time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(redisStart)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// keys returns how many keys the server holds.
func (s *redisServer) keys() (int64, error) {
	answer, err := s.ask("DBSIZE")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimPrefix(answer, ":"), 10, 64)
}

func (s *redisServer) stop() error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	_ = s.cmd.Wait() // how it ends after an interrupt is of no interest
	return nil
}

// turn runs the shapes, n operations each, on a fresh server.
func (p redisPrograms) turn(e typedEngine, dir string, n uint64, shapes []typedShape) ([]result, error) {
	s, err := p.start(dir)
	if err != nil {
		return nil, err
	}
	var rs []result
	for _, shape := range shapes {
		before, err := s.keys()
		if err != nil {
			return rs, errors.Join(err, s.stop())
		}
		r := result{Engine: e.name, Scenario: "typed", Row: shape.row, Unit: perSecond, Ops: int64(n)}
		if r.Value, err = p.measure(s, e.depth, n, shape); err != nil {
			r.Err = err.Error()
		}
		after, err := s.keys()
		if err != nil {
			return rs, errors.Join(err, s.stop())
		}
		if shape.after == "" && after <= before {
			r.Err = fmt.Sprintf("%v left no key behind", shape.command)
		}
		rs = append(rs, r)
	}
	return rs, s.stop()
}

// measure runs redis-benchmark with one command and returns thousands of
// operations a second.
func (p redisPrograms) measure(s *redisServer, depth int, n uint64, shape typedShape) (float64, error) {
	count := strconv.FormatUint(n, 10)
	cmd := exec.Command(p.benchmark, append([]string{"-h", "127.0.0.1", "-p", s.port, "--csv", "-n", count, "-r", count,
		"-d", strconv.Itoa(typedValue), "-P", strconv.Itoa(depth)}, shape.command...)...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("redis-benchmark: %w: %s", err, &complaints)
	}
	return readRedisRate(out)
}

// readRedisRate reads what redis-benchmark --csv prints: a line of titles, which
// old versions leave out, and the command's, whose second field is operations a
// second.
func readRedisRate(out []byte) (float64, error) {
	r := csv.NewReader(bytes.NewReader(out))
	r.FieldsPerRecord = -1
	lines, err := r.ReadAll()
	if err != nil {
		return 0, fmt.Errorf("redis-benchmark's answer: %w", err)
	}
	if len(lines) == 0 || len(lines[len(lines)-1]) < 2 {
		return 0, fmt.Errorf("redis-benchmark's answer %q has no figure", out)
	}
	rate, err := strconv.ParseFloat(lines[len(lines)-1][1], 64)
	return rate / 1e3, err
}
