package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
)

// served runs siltstone serve until the test ends, and returns a function that sends a line
// and returns the first line of the reply.
func served(t *testing.T, args ...string) func(line string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	var complaints bytes.Buffer
	tool := newTool(nil, w, &complaints)
	root := tool.root()
	root.SetArgs(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...))
	ended := make(chan error, 1)
	go func() {
		err := root.ExecuteContext(ctx)
		w.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve ended with %v", err)
		}
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	_, addr, ok := strings.Cut(strings.TrimSpace(line), " is served on ")
	if err != nil || !ok {
		t.Fatalf("%q, %v: %s", line, err, complaints.String())
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	replies := bufio.NewReader(conn)
	return func(line string) string {
		t.Helper()
		fmt.Fprintf(conn, "%s\r\n", line)
		reply, err := replies.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(reply)
	}
}

func TestServeWritesAndIsReadBesideIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	write := served(t, dir, "--write")
	if got := write("SET a 1"); got != "+OK" {
		t.Fatal(got)
	}
	look := served(t, dir)
	if got := look("EXISTS a"); got != ":1" {
		t.Error(got)
	}
	if got := look("SET a 2"); !strings.HasPrefix(got, "-READONLY ") {
		t.Error(got)
	}
}

func TestServeReadsAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db, err := siltstone.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("a"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	look := served(t, dir)
	for line, want := range map[string]string{"TYPE a": "+string", "DEL a": "-READONLY This server shows the store for reading: nothing can be written.", "DEBUG SLEEP 0": "-ERR DEBUG command not allowed. The server was not started with it."} {
		if got := look(line); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}
