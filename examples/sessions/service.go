package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone"
)

// service is the handlers and what they share. Each use of the store has a
// keyspace of its own, so no name of one meets a name of another, and one of
// them can be dropped (all limits, say) without touching the others.
type service struct {
	db       *siltstone.DB
	sessions *siltstone.Keyspace // cookie → hash, see session
	limits   *siltstone.Keyspace // client → counter, see admit
	board    *siltstone.Keyspace // "points" → sorted set, see board.go
	settings settings
}

type settings struct {
	idle     time.Duration // how long a session lives without being used
	requests int64         // how many a client may make in a window
	window   time.Duration
}

var defaults = settings{idle: 30 * time.Minute, requests: 100, window: 10 * time.Second}

// newService makes the keyspaces or finds them.
func newService(db *siltstone.DB, set settings) (*service, error) {
	s := &service{db: db, settings: set}
	var errs [3]error
	s.sessions, errs[0] = db.CreateKeyspace("sessions")
	s.limits, errs[1] = db.CreateKeyspace("limits")
	s.board, errs[2] = db.CreateKeyspace("board")
	return s, errors.Join(errs[:]...)
}

// handler is all of the service. It needs no listener.
func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /login", answer(s.login))
	mux.Handle("GET /me", answer(s.me))
	mux.Handle("POST /logout", answer(s.logout))
	mux.Handle("POST /score", answer(s.score))
	mux.Handle("GET /leaderboard", answer(s.leaderboard))
	return s.limited(mux)
}

const cookieName = "session"

// login makes a session for the user called user=. Who that is, it takes on
// trust: passwords have nothing to do with the store.
func (s *service) login(w http.ResponseWriter, r *http.Request) (any, error) {
	user := r.PostFormValue("user")
	if !validName(user) {
		return nil, refusal{http.StatusBadRequest, "user must be 1 to 32 letters, digits, _ or -"}
	}
	id, v, err := s.begin(r.Context(), user)
	if err != nil {
		return nil, err
	}
	// Without an age: the store decides when a session is over.
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil})
	return v, nil
}

func (s *service) me(_ http.ResponseWriter, r *http.Request) (any, error) {
	return s.use(r.Context(), cookie(r))
}

// logout ends the session, if there is one.
func (s *service) logout(w http.ResponseWriter, r *http.Request) (any, error) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1})
	return map[string]string{"status": "signed out"}, s.end(r.Context(), cookie(r))
}

// score adds points= to the points of the user whose session it is.
func (s *service) score(_ http.ResponseWriter, r *http.Request) (any, error) {
	points, err := strconv.Atoi(r.PostFormValue("points"))
	if err != nil || points < 1 || points > 1000 {
		return nil, refusal{http.StatusBadRequest, "points must be a number from 1 to 1000"}
	}
	return s.add(r.Context(), cookie(r), points)
}

// leaderboard shows the ?top= best, 10 if it does not say, and who stands near
// ?around=.
func (s *service) leaderboard(_ http.ResponseWriter, r *http.Request) (any, error) {
	q, top := r.URL.Query(), 10
	if q.Has("top") {
		var err error
		if top, err = strconv.Atoi(q.Get("top")); err != nil || top < 1 || top > 100 {
			return nil, refusal{http.StatusBadRequest, "top must be a number from 1 to 100"}
		}
	}
	return s.standings(r.Context(), top, q.Get("around"))
}

// cookie returns the value of the session's cookie, empty if there is none.
func cookie(r *http.Request) string {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	return c.Value
}

func validName(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 32
}

// refusal is an error that is the client's, with its HTTP status.
type refusal struct {
	status int
	text   string
}

func (e refusal) Error() string { return e.text }

// answer is a handler that returns what it has to say, as JSON, or an error.
type answer func(w http.ResponseWriter, r *http.Request) (any, error)

func (h answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	v, err := h(w, r)
	if err != nil {
		fail(w, r, err)
		return
	}
	write(w, http.StatusOK, v)
}

// fail tells the client of an error: of one of its own what it is, of one of
// ours only that there is one.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	var no refusal
	switch {
	case errors.As(err, &no):
	case errors.Is(err, context.Canceled): // the client has gone, and reads this no more
		no = refusal{http.StatusServiceUnavailable, "canceled"}
	case errors.Is(err, siltstone.ErrNoSpace):
		no = refusal{http.StatusInsufficientStorage, "no space left; reading and signing out still work"}
	default:
		slog.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		no = refusal{http.StatusInternalServerError, "something went wrong"}
	}
	write(w, no.status, map[string]string{"error": no.text})
}

// write sends v. An error means that nobody listens any more.
func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
