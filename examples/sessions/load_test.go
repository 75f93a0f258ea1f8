package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

var loadFor = flag.Duration("load", time.Second, "how long the load test runs")

// player is a client over HTTP, with a session, that remembers what the service
// has acknowledged.
type player struct {
	name   string
	base   string
	http   *http.Client
	took   []time.Duration
	used   int64 // /me
	points int   // acknowledged
	sent   int   // points of which it does not know, too
}

func newPlayer(name, base string) *player {
	jar, _ := cookiejar.New(nil) // has no error without options
	return &player{name: name, base: base, http: &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{}}}
}

// ask decodes the answer into v if that is not nil. Anything but 200 is an error.
func (p *player) ask(method, path string, form url.Values, v any) error {
	begin := time.Now()
	var r *http.Response
	var err error
	if method == http.MethodPost {
		r, err = p.http.PostForm(p.base+path, form)
	} else {
		r, err = p.http.Get(p.base + path)
	}
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	p.took = append(p.took, time.Since(begin))
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %s", method, path, r.StatusCode, body)
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(body, v)
}

func (p *player) login() error {
	return p.ask("POST", "/login", url.Values{"user": {p.name}}, nil)
}

// step is the n-th request of a player: mostly reads, as services are.
func (p *player) step(n int) error {
	switch n % 10 {
	case 0, 5:
		points := 1 + n%7
		p.sent += points
		var at place
		if err := p.ask("POST", "/score", url.Values{"points": {fmt.Sprint(points)}}, &at); err != nil {
			return err
		}
		p.points += points
		if at.Points < float64(p.points) {
			return fmt.Errorf("%s has %v points and was promised %d", p.name, at.Points, p.points)
		}
		return nil
	case 9:
		var b standings
		if err := p.ask("GET", "/leaderboard?top=5&around="+p.name, nil, &b); err != nil {
			return err
		}
		if !slices.IsSortedFunc(b.Top, func(x, y place) int { return int(y.Points - x.Points) }) {
			return fmt.Errorf("not in order: %v", b.Top)
		}
		if !slices.ContainsFunc(b.Around, func(x place) bool { return x.User == p.name }) {
			return fmt.Errorf("%s is not near %s: %v", p.name, p.name, b.Around)
		}
		return nil
	}
	var v session
	if err := p.ask("GET", "/me", nil, &v); err != nil {
		return err
	}
	if p.used++; v.User != p.name || v.Seen != p.used {
		return fmt.Errorf("%s, used %d times, is %+v", p.name, p.used, v)
	}
	return nil
}

// TestLoad plays with eight clients at once over HTTP and says how fast that
// was. What it checks is that nothing acknowledged was lost. -load=30s makes it
// longer.
func TestLoad(t *testing.T) {
	db, err := siltstone.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := newService(db, settings{idle: time.Hour, requests: 1 << 40, window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.handler())
	defer web.Close()

	const clients = 8
	players := make([]*player, clients)
	begin := time.Now()
	var all sync.WaitGroup
	for i := range players {
		p := newPlayer(fmt.Sprintf("player%d", i), web.URL)
		players[i] = p
		all.Go(func() {
			defer p.http.CloseIdleConnections()
			if err := p.login(); err != nil {
				t.Error(err)
				return
			}
			for n := 0; time.Since(begin) < *loadFor; n++ {
				if err := p.step(n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	report(t, players, time.Since(begin))
	checkBoard(t, s, players)
	if n, err := s.sessions.Keys().Count(); n != clients || err != nil {
		t.Errorf("%d sessions, %v", n, err)
	}
	asked := 0
	for _, p := range players {
		asked += len(p.took)
	}
	if got, err := s.limits.String("127.0.0.1").Get(); string(got) != fmt.Sprint(asked) || err != nil {
		t.Errorf("the limiter counted %s of %d requests, %v", got, asked, err)
	}
}

// report prints requests a second and how long the slowest hundredth took.
func report(t *testing.T, players []*player, d time.Duration) {
	var took []time.Duration
	for _, p := range players {
		took = append(took, p.took...)
	}
	slices.Sort(took)
	if len(took) == 0 {
		t.Fatal("no request was answered")
	}
	t.Logf("%d clients, %d requests, %.0f requests/s, median %v, p99 %v", len(players), len(took),
		float64(len(took))/d.Seconds(), took[len(took)/2].Round(time.Microsecond), took[len(took)*99/100].Round(time.Microsecond))
}

// checkBoard compares the board with what was acknowledged, and its sum with the
// sum of it.
func checkBoard(t *testing.T, s *service, players []*player) {
	t.Helper()
	b, err := s.standings(t.Context(), 100, "")
	if err != nil {
		t.Fatal(err)
	}
	points, sum := map[string]float64{}, 0.0
	for _, p := range b.Top {
		points[p.User] = p.Points
		sum += p.Points
	}
	acknowledged := 0
	for _, p := range players {
		acknowledged += p.points
		if points[p.name] != float64(p.points) {
			t.Errorf("%s has %v points of %d", p.name, points[p.name], p.points)
		}
	}
	if sum != float64(acknowledged) {
		t.Errorf("the board has %v points of %d", sum, acknowledged)
	}
}
