package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/leaktest"
	"github.com/siltstonedb/siltstone/vfs"
)

// TestMain lets the test binary be the command, for the child that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("SESSIONS_CHILD") != "" {
		defaults.requests = 1 << 40 // the load comes from one address
		main()
		os.Exit(0)
	}
	leaktest.Main(m)
}

// fakeClock is the time in tests; it stands still.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// visitor talks to the handlers of a service, without a listener.
type visitor struct {
	t      testing.TB
	h      http.Handler
	addr   string
	cookie string
}

// ask returns the status and the body, and keeps the cookie as a browser does.
func (v *visitor) ask(method, target, form string) (int, string) {
	return v.askHeader(method, target, form, nil)
}

func (v *visitor) askHeader(method, target, form string, header *http.Header) (int, string) {
	v.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(form))
	r.RemoteAddr = v.addr + ":1024"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if v.cookie != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: v.cookie})
	}
	w := httptest.NewRecorder()
	v.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		v.cookie = c.Value
	}
	if header != nil {
		*header = w.Header()
	}
	return w.Code, strings.TrimSpace(w.Body.String())
}

// want fails the test if the answer is another one.
func (v *visitor) want(method, target, form string, status int, body string) {
	v.t.Helper()
	if s, b := v.ask(method, target, form); s != status || b != body {
		v.t.Errorf("%s %s %s:\n got %d %s\nwant %d %s", method, target, form, s, b, status, body)
	}
}

func (v *visitor) login(user string) {
	v.t.Helper()
	if s, b := v.ask("POST", "/login", "user="+user); s != http.StatusOK || v.cookie == "" {
		v.t.Fatalf("login: %d %s", s, b)
	}
}

// inMemory is a service over a store in memory.
func inMemory(t *testing.T, set settings) (*service, *fakeClock) {
	t.Helper()
	clock := newClock()
	db, err := siltstone.Open("store", &siltstone.Options{FS: vfs.NewMem(), Clock: clock.read})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := newService(db, set)
	if err != nil {
		t.Fatal(err)
	}
	return s, clock
}

func TestASessionBeginsIsUsedAndEnds(t *testing.T) {
	s, _ := inMemory(t, defaults)
	v := &visitor{t: t, h: s.handler(), addr: "192.0.2.1"}
	v.want("GET", "/me", "", 401, `{"error":"not signed in"}`)
	v.want("POST", "/login", "user=ada", 200, `{"user":"ada","since":"2026-03-01T12:00:00Z","seen":0,"expires_in":1800}`)
	v.want("GET", "/me", "", 200, `{"user":"ada","since":"2026-03-01T12:00:00Z","seen":1,"expires_in":1800}`)
	v.want("GET", "/me", "", 200, `{"user":"ada","since":"2026-03-01T12:00:00Z","seen":2,"expires_in":1800}`)
	id := v.cookie
	v.want("POST", "/logout", "", 200, `{"status":"signed out"}`)
	v.cookie = id // a stolen one
	v.want("GET", "/me", "", 401, `{"error":"not signed in"}`)
	v.want("POST", "/score", "points=1", 401, `{"error":"not signed in"}`)
	v.want("POST", "/logout", "", 200, `{"status":"signed out"}`)
}

func TestASessionLivesAsLongAsItIsUsed(t *testing.T) {
	s, clock := inMemory(t, settings{idle: time.Minute, requests: 100, window: time.Second})
	v := &visitor{t: t, h: s.handler(), addr: "192.0.2.1"}
	v.login("ada")
	for range 5 {
		clock.advance(59 * time.Second)
		if status, b := v.ask("GET", "/me", ""); status != 200 {
			t.Fatalf("59 s after its last use: %d %s", status, b)
		}
	}
	clock.advance(time.Minute)
	v.want("GET", "/me", "", 401, `{"error":"not signed in"}`)
	if n, err := s.sessions.Keys().Count(); n != 0 || err != nil {
		t.Errorf("%d sessions left, %v", n, err)
	}
}

func TestBadRequestsAreRefusedAndChangeNothing(t *testing.T) {
	s, _ := inMemory(t, defaults)
	v := &visitor{t: t, h: s.handler(), addr: "192.0.2.1"}
	for _, user := range []string{"", "a+b", "%00", strings.Repeat("a", 33)} {
		v.want("POST", "/login", "user="+user, 400, `{"error":"user must be 1 to 32 letters, digits, _ or -"}`)
	}
	v.cookie = strings.Repeat("x", 100_000)
	v.want("GET", "/me", "", 401, `{"error":"not signed in"}`)
	v.login("ada")
	for _, points := range []string{"", "0", "-1", "1001", "1e3", "nan"} {
		v.want("POST", "/score", "points="+points, 400, `{"error":"points must be a number from 1 to 1000"}`)
	}
	for _, top := range []string{"", "0", "101", "ten"} {
		v.want("GET", "/leaderboard?top="+top, "", 400, `{"error":"top must be a number from 1 to 100"}`)
	}
	v.want("GET", "/leaderboard?around=ada", "", 404, `{"error":"nobody of that name has points"}`)
	v.want("GET", "/leaderboard", "", 200, `{"players":0,"top":[]}`)
	if status, _ := v.ask("GET", "/login", ""); status != 405 {
		t.Errorf("GET /login: %d", status)
	}
}

func TestTheLeaderboardShowsTheBestAndTheNeighbours(t *testing.T) {
	s, _ := inMemory(t, defaults)
	h := s.handler()
	for i, user := range []string{"ann", "bob", "cat", "dan", "eve", "fay", "gus"} {
		v := &visitor{t: t, h: h, addr: "192.0.2." + user}
		v.login(user)
		v.ask("POST", "/score", "points=10")
		if i > 0 {
			v.ask("POST", "/score", "points="+strings.Repeat("1", min(i, 3)))
		}
	}
	for target, want := range map[string]string{
		"/leaderboard?top=2&around=bob": "gus 1:121 fay 2:121 | dan 4:121 cat 5:21 bob 6:11 ann 7:10",
		"/leaderboard?top=1&around=gus": "gus 1:121 | gus 1:121 fay 2:121 eve 3:121",
	} {
		v := &visitor{t: t, h: h, addr: "192.0.2.9"}
		_, body := v.ask("GET", target, "")
		var b standings
		if err := json.Unmarshal([]byte(body), &b); err != nil {
			t.Fatal(err, body)
		}
		if got := picture(b.Top) + "| " + strings.TrimSpace(picture(b.Around)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", target, got, want)
		}
	}
}

// picture shows places as "who rank:points".
func picture(places []place) string {
	var b strings.Builder
	for _, p := range places {
		fmt.Fprintf(&b, "%s %d:%v ", p.User, p.Rank, p.Points)
	}
	return b.String()
}
