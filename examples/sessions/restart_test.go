package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/event"
)

// started is the address in the line with which the service begins.
var started = regexp.MustCompile(`serving"? addr=(\S+) store=(\S+)`)

// watch reads a log to its end and sends what started finds in it.
func watch(log io.Reader) <-chan []string {
	found := make(chan []string, 1)
	go func() {
		defer close(found)
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			if m := started.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1:]
			}
		}
	}()
	return found
}

// inProcess runs the service until stop is called, which returns its error.
func inProcess(t *testing.T, dir string) (addr, page string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	found := watch(r)
	ended := make(chan error, 1)
	go func() {
		c := config{addr: "127.0.0.1:0", admin: "127.0.0.1:0", dir: dir}
		ended <- serve(ctx, c, slog.New(slog.NewTextHandler(w, nil)))
		w.Close()
	}()
	urls, ok := <-found
	if !ok {
		t.Fatal(<-ended)
	}
	return urls[0], urls[1], func() error {
		cancel()
		return <-ended
	}
}

func TestSessionsOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	addr, page, stop := inProcess(t, dir)
	p := newPlayer("ada", addr)
	if err := p.login(); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		if err := p.step(n); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := p.http.Get(page); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("the page about the store: %v", err)
	} else {
		r.Body.Close()
	}
	p.http.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	p.base, _, stop = inProcess(t, dir)
	for n := range 10 { // it knows how often it was here, and its points
		if err := p.step(n); err != nil {
			t.Error(err)
		}
	}
	p.http.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestRequestsInProgressAreAnsweredBeforeTheEnd(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	slow, err := listen("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-leave
		if err := r.Context().Err(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, answered := make(chan error, 1), make(chan error, 1)
	go func() { ended <- both(ctx, slow) }()
	p := newPlayer("ada", "http://"+slow.Addr)
	go func() { answered <- p.ask("GET", "/", nil, nil) }()
	<-entered
	cancel()
	for { // until it takes no more connections
		c, err := net.DialTimeout("tcp", slow.Addr, time.Second)
		if err != nil {
			break
		}
		c.Close()
	}
	select {
	case err := <-ended:
		close(leave)
		t.Fatalf("it ended before it had answered: %v", err)
	case leave <- true:
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAnAddressInUseIsAnErrorAndClosesTheStore(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	dir := t.TempDir()
	c := config{addr: "127.0.0.1:0", admin: strings.TrimPrefix(taken.URL, "http://"), dir: dir}
	if err := serve(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("it served on an address in use")
	}
	_, _, stop := inProcess(t, dir)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestWhatWasAcknowledgedOutlivesKill kills the process in the middle of a load
// and looks, in the next one, for every session and all points.
func TestWhatWasAcknowledgedOutlivesKill(t *testing.T) {
	dir := t.TempDir()
	child, addr := startChild(t, dir)
	players := make([]*player, 4)
	var all sync.WaitGroup
	steps := make(chan bool)
	for i := range players {
		p := newPlayer(fmt.Sprintf("player%d", i), addr)
		if err := p.login(); err != nil {
			t.Fatal(err)
		}
		players[i] = p
		all.Go(func() {
			for n := 0; p.step(n) == nil; n++ { // until it is killed
				steps <- true
			}
		})
	}
	go func() { all.Wait(); close(steps) }()
	for range 100 {
		if _, ok := <-steps; !ok {
			t.Fatal("the load ended before the kill")
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for range steps {
	}
	_ = child.Wait() // says that it was killed

	child, addr = startChild(t, dir)
	for _, p := range players {
		p.base = addr
		checkAfterKill(t, p)
		p.http.CloseIdleConnections()
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
}

func TestASignalEndsTheServiceInGoodOrder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent SIGTERM there")
	}
	dir := t.TempDir()
	child, addr := startChild(t, dir)
	p := newPlayer("ada", addr)
	if err := p.login(); err != nil { // and keeps its connection open
		t.Fatal(err)
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	p.http.CloseIdleConnections()
	db, err := siltstone.Open(dir, &siltstone.Options{ReadOnly: true, OnEvent: func(e event.Event) {
		if _, ok := e.(event.Recovered); ok {
			t.Errorf("the store was not closed: %v", e)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// checkAfterKill looks for the session and the points of a player.
func checkAfterKill(t *testing.T, p *player) {
	var v session
	if err := p.ask("GET", "/me", nil, &v); err != nil || v.User != p.name {
		t.Errorf("%s is not signed in any more: %+v, %v", p.name, v, err)
	}
	var b standings
	if err := p.ask("GET", "/leaderboard?top=100", nil, &b); err != nil {
		t.Error(err)
	}
	got := 0.0
	for _, x := range b.Top {
		if x.User == p.name {
			got = x.Points
		}
	}
	if got < float64(p.points) || got > float64(p.sent) {
		t.Errorf("%s has %v points, of %d acknowledged and %d sent", p.name, got, p.points, p.sent)
	}
}

// startChild runs the service as a process of its own and returns its address.
func startChild(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-addr", "127.0.0.1:0", "-admin", "127.0.0.1:0", "-dir", dir)
	cmd.Env = append(os.Environ(), "SESSIONS_CHILD=1")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	select {
	case urls, ok := <-watch(log):
		if !ok {
			t.Fatal("the child ended at once")
		}
		return cmd, urls[0]
	case <-time.After(time.Minute):
		t.Fatal("the child does not serve")
	}
	return nil, ""
}
