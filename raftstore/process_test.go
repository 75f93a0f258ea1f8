//go:build unix

package raftstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// processes are replicas in processes of their own. Between each two of them, in each
// direction, is a proxy.
type processes struct {
	t     testing.TB
	dir   string
	http  http.Client // of the test's clients, whose ways are never cut
	ways  map[[2]string]*proxy
	names []string // also of those that come later
	used  int      // of the names

	mu  sync.Mutex
	all []*process // the members of the cluster
}

// process is a replica; up is false while it is killed.
type process struct {
	id, dir   string
	bootstrap []Member
	of        *processes

	mu    sync.Mutex
	up    bool
	cmd   *exec.Cmd
	stdin io.Closer
	http  string
}

// startProcesses starts a cluster of size, to which so many may be added.
func startProcesses(t testing.TB, size, spare int) *processes {
	t.Helper()
	c := &processes{t: t, dir: t.TempDir(), ways: map[[2]string]*proxy{}}
	for i := range size + spare {
		c.names = append(c.names, fmt.Sprint("n", i))
	}
	for _, from := range c.names {
		for _, to := range c.names {
			if from != to {
				c.ways[[2]string{from, to}] = newProxy(t)
			}
		}
	}
	t.Cleanup(c.close)
	var members []Member
	c.used = size
	for _, id := range c.names[:size] {
		members = append(members, Member{ID: id, Addr: id})
	}
	for _, m := range members {
		c.all = append(c.all, c.process(m.ID, members))
	}
	for _, p := range c.all {
		p.start(-1)
	}
	return c
}

func (c *processes) process(id string, bootstrap []Member) *process {
	return &process{id: id, dir: filepath.Join(c.dir, id), bootstrap: bootstrap, of: c}
}

// start starts the process, with room for so many bytes on its disk; negative: no bound.
func (p *process) start(space int64) {
	t := p.of.t
	t.Helper()
	cfg := nodeConfig{ID: p.id, Dir: p.dir, Bootstrap: p.bootstrap, Routes: map[string]string{}, Space: space}
	for ends, way := range p.of.ways {
		if ends[0] == p.id {
			cfg.Routes[ends[1]] = way.addr()
		}
	}
	arg, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childNode+"="+string(arg))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	var ports nodePorts
	if err := errors.Join(err, json.Unmarshal(line, &ports)); err != nil {
		t.Fatalf("%s does not start: %v, %v", p.id, err, cmd.Wait())
	}
	p.mu.Lock()
	p.up, p.cmd, p.stdin, p.http = true, cmd, stdin, ports.HTTP
	p.mu.Unlock()
	p.of.lead(p.id, ports.Raft)
}

// lead has the ways to a process end at an address.
func (c *processes) lead(id, addr string) {
	for ends, way := range c.ways {
		if ends[1] == id {
			way.set(func(to *string, _ *linkState) { *to = addr })
		}
	}
}

// links changes the links of a process with all others.
func (c *processes) links(id string, change func(out bool, s *linkState)) {
	for ends, way := range c.ways {
		if ends[0] == id || ends[1] == id {
			way.set(func(_ *string, s *linkState) { change(ends[0] == id, s) })
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil {
		p.of.t.Errorf("%s: %v", p.id, err)
	}
}

// kill ends the process as a crash does.
func (p *process) kill() {
	p.down()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
}

// stop lets the process close its store, and wants it to do so without an error.
func (p *process) stop() {
	p.down()
	p.stdin.Close()
	end := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) }) // its goroutines are printed
	defer end.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.of.t.Errorf("%s ends: %v", p.id, err)
	}
}

func (p *process) down() {
	p.mu.Lock()
	p.up = false
	p.mu.Unlock()
	p.of.lead(p.id, "")
}

// running returns where the process answers; empty: it is down.
func (p *process) running() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.up {
		return ""
	}
	return p.http
}

func (c *processes) close() {
	for _, p := range c.members() {
		if p.running() != "" {
			p.stop()
		}
	}
	for _, way := range c.ways {
		way.close()
	}
	c.http.CloseIdleConnections()
}

func (c *processes) members() []*process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*process(nil), c.all...)
}

// replace has an empty process under another name take the place of p, which is down.
func (c *processes) replace(p *process, id string) *process {
	c.t.Helper()
	if err := os.RemoveAll(p.dir); err != nil {
		c.t.Fatal(err)
	}
	c.change("/remove?id=" + p.id)
	next := c.process(id, nil)
	next.start(-1)
	c.mu.Lock()
	for i, q := range c.all {
		if q == p {
			c.all[i] = next
		}
	}
	c.mu.Unlock()
	c.change("/add?id=" + id)
	return next
}

// change asks the leader for a change of the members until it is made.
func (c *processes) change(path string) {
	c.t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var done bool
		if err = c.ask(bg, c.leader(), "POST", path, nil, &done); err == nil {
			return
		}
	}
	c.t.Fatalf("%s: %v", path, err)
}

// errUnasked says that a question has not reached a process.
var errUnasked = errors.New("the process was not asked")

// ask asks a process over HTTP.
func (c *processes) ask(ctx context.Context, p *process, method, path string, question, answer any) error {
	to := p.running()
	if to == "" {
		return errUnasked
	}
	b, err := json.Marshal(question)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+to+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return errUnasked
		}
		return err
	}
	defer r.Body.Close()
	if b, err = io.ReadAll(r.Body); err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", r.Status, b)
	}
	return json.Unmarshal(b, answer)
}

func (c *processes) metrics(p *process) (m nodeMetrics, err error) {
	ctx, cancel := context.WithTimeout(bg, time.Second)
	defer cancel()
	err = c.ask(ctx, p, "GET", "/metrics", nil, &m)
	return m, err
}

// leader waits for one, of the highest term.
func (c *processes) leader() (lead *process) {
	c.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		term := uint64(0)
		for _, p := range c.members() {
			if m, err := c.metrics(p); err == nil && m.State == "Leader" && m.Term > term {
				lead, term = p, m.Term
			}
		}
		if lead != nil {
			return lead
		}
	}
	c.t.Fatal("there is no leader")
	return nil
}

// equal waits until all are at one index, and compares them.
func (c *processes) equal() {
	c.t.Helper()
	var last string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var first Checksum
		same := true
		last = ""
		for i, p := range c.members() {
			var sum Checksum
			if err := c.ask(bg, p, "GET", "/checksum", nil, &sum); err != nil {
				c.t.Fatalf("%s: %v", p.id, err)
			}
			last += fmt.Sprintf(" %s: %v", p.id, sum)
			if i == 0 {
				first = sum
			}
			if same = same && sum.Index == first.Index; same && sum != first {
				c.t.Fatalf("replicas differ:%s", last)
			}
		}
		if same {
			return
		}
	}
	c.t.Fatalf("the replicas do not come to one index:%s", last)
}

// remote is a process that clients call.
type remote struct{ p *process }

func (r remote) call(ctx context.Context, c nodeCall) (a nodeAnswer, err error) {
	err = r.p.of.ask(ctx, r.p, "POST", "/call", c, &a)
	switch {
	case errors.Is(err, errUnasked) || err == nil && a.Nothing:
		return a, ErrNoLeader
	case err == nil && a.Err != "":
		err = errors.New(a.Err)
	}
	return a, err
}

func (r remote) do(ctx context.Context, c registerCall) (registerAnswer, error) {
	a, err := r.call(ctx, nodeCall{Kind: c.kind, Key: c.key, Old: c.old, New: c.new})
	return registerAnswer{value: a.Value, swapped: a.Swapped}, err
}

func (r remote) tag(ctx context.Context, id [16]byte, tag string) error {
	_, err := r.call(ctx, nodeCall{Kind: "tag", New: tag, ID: fmt.Sprintf("%x", id)})
	return err
}

func (r remote) tags(ctx context.Context) ([]string, error) {
	a, err := r.call(ctx, nodeCall{Kind: "tags"})
	return a.Tags, err
}
