package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/siltstonedb/siltstone"
)

// handler is the service.
func (q *queue) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jobs", q.serveAdd)
	mux.HandleFunc("GET /jobs", q.serveStanding)
	mux.HandleFunc("POST /jobs/{id}/again", q.serveAgain)
	return http.MaxBytesHandler(mux, 1<<20)
}

func (q *queue) serveAdd(w http.ResponseWriter, r *http.Request) {
	target, delay := r.PostFormValue("url"), time.Duration(0)
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		http.Error(w, "url must be one of http or https", http.StatusBadRequest)
		return
	}
	if text := r.PostFormValue("delay"); text != "" {
		if delay, err = time.ParseDuration(text); err != nil || delay < 0 {
			http.Error(w, "delay must be a duration, such as 10s", http.StatusBadRequest)
			return
		}
	}
	id, err := q.add(r.Context(), job{URL: target, Body: r.PostFormValue("body")}, delay)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusAccepted, map[string]string{"id": id})
}

func (q *queue) serveStanding(w http.ResponseWriter, r *http.Request) {
	s, err := q.standing(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, s)
}

func (q *queue) serveAgain(w http.ResponseWriter, r *http.Request) {
	err := q.again(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, siltstone.ErrNotFound):
		http.Error(w, "no job of that id was given up", http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // whoever asked may be gone
}
