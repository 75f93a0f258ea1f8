package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/siltstonedb/siltstone/raftstore"
)

// processes are the nodes of a cluster, on loopback.
type processes struct {
	dir        string
	size, base int
	running    []*process // nil: killed
}

type process struct {
	cmd  *exec.Cmd
	done chan error
}

func (c *processes) http(i int) string { return fmt.Sprintf("127.0.0.1:%d", c.base+i) }
func (c *processes) raft(i int) string { return fmt.Sprintf("127.0.0.1:%d", c.base-1000+i) }

func (c *processes) start(i int) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, "node", "-dir", c.dir, "-nodes", fmt.Sprint(c.size), "-port", fmt.Sprint(c.base), "-index", fmt.Sprint(i))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), asNode+"=1")
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd: cmd, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	c.running[i] = p
	return nil
}

// asNode tells a test's executable that it is a node.
const asNode = "REPLICATED_NODE"

// kill ends a process as a crash does.
func (c *processes) kill(i int) error {
	p := c.running[i]
	c.running[i] = nil
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.done
	return nil
}

// stop ends all of them: gently, and after some seconds not so.
func (c *processes) stop() {
	for _, p := range c.running {
		if p != nil {
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		}
	}
	for i, p := range c.running {
		if p == nil {
			continue
		}
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			_ = c.kill(i)
		}
	}
}

// leader waits until a node says that it leads.
func (c *processes) leader(atMost time.Duration) (int, error) {
	for end := time.Now().Add(atMost); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for i, p := range c.running {
			var st raftstore.Metrics
			if p != nil && get(c.http(i), "/metrics", &st) == nil && st.State == "Leader" {
				return i, nil
			}
		}
	}
	return 0, errors.New("there is no leader")
}

// equal waits until all nodes have applied the same, and compares their checksums.
func (c *processes) equal(atMost time.Duration) (sum string, err error) {
	err = errors.New("the nodes do not come to the same command")
	for end := time.Now().Add(atMost); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var sums []string
		for i := range c.running {
			var s string
			if err := get(c.http(i), "/checksum", &s); err == nil {
				sums = append(sums, s)
			}
		}
		same := len(sums) == c.size
		for i := 1; i < len(sums); i++ {
			var a, b uint64
			var x, y string
			fmt.Sscan(sums[0], &a, &x)
			fmt.Sscan(sums[i], &b, &y)
			if a == b && x != y {
				return "", fmt.Errorf("the nodes differ: %v", sums)
			}
			same = same && a == b
		}
		if same {
			return sums[0], nil
		}
	}
	return "", err
}

// client bounds a request: a node that is paused answers none.
var client = &http.Client{Timeout: 3 * time.Second}

// get reads the JSON at a path of a node.
func get(node, path string, into any) error {
	r, err := client.Get("http://" + node + path)
	return readAnswer(r, err, into)
}

// post changes something on a node. With the same id it may be sent again.
func post(node, path string, id [16]byte, values url.Values, into any) error {
	req, err := http.NewRequest("POST", "http://"+node+path+"?"+values.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Idempotency-Key", fmt.Sprintf("%x", id))
	r, err := client.Do(req)
	return readAnswer(r, err, into)
}

func readAnswer(r *http.Response, err error, into any) error {
	if err != nil {
		return err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", r.Status, b)
	}
	return json.Unmarshal(b, into)
}

// newID draws an id for a change.
func newID() (id [16]byte) {
	rand.Read(id[:]) // never fails
	return id
}
