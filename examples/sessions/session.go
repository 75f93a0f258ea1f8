package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// session is what a cookie stands for. In the store it is a hash, named by the
// value of the cookie, that lives as long as it is used:
//
//	sessions · M5X3…  hash, 30 min   user  → ada
//	                                 since → 2026-11-21T12:00:00Z
//	                                 seen  → 12
type session struct {
	User    string    `json:"user"`
	Since   time.Time `json:"since"`
	Seen    int64     `json:"seen"`       // how often it was used
	Expires int64     `json:"expires_in"` // seconds, if it is not used again
}

var errNoSession = refusal{http.StatusUnauthorized, "not signed in"}

// idLength is that of rand.Text. Nothing else is looked up.
var idLength = len(rand.Text())

// begin makes a session. It commits at the level of the store, SyncDurability: whoever was
// told that they are signed in is so after a power cut, too.
func (s *service) begin(ctx context.Context, user string) (id string, v session, err error) {
	id = rand.Text() // 128 bits; nobody else has it
	err = s.db.Update(ctx, func(tx *siltstone.Tx) error {
		h := tx.In(s.sessions).Hash(id)
		v = session{User: user, Since: tx.Now().UTC(), Expires: seconds(s.settings.idle)}
		_, err := h.SetMany(
			typed.Field{Name: "user", Value: []byte(v.User)},
			typed.Field{Name: "since", Value: []byte(v.Since.Format(time.RFC3339Nano))},
		)
		if err != nil {
			return err
		}
		return h.Expire(s.settings.idle)
	})
	return id, v, err
}

// use returns the session and lets it live for another while. Reading, counting
// and renewing are one transaction: a session that ends meanwhile is not brought
// back to life.
//
// The level is BufferedDurability. What a crash can lose is the last moments of renewals,
// and a session that is signed out a blink too early has lost nothing. In return
// the request that every page makes never waits for the disk.
func (s *service) use(ctx context.Context, id string) (v session, err error) {
	err = s.db.Update(ctx, func(tx *siltstone.Tx) error {
		tx.SetDurability(siltstone.BufferedDurability)
		if v, err = s.lookUp(tx, id); err != nil {
			return err
		}
		h := tx.In(s.sessions).Hash(id)
		if v.Seen, err = h.Incr("seen", 1); err != nil {
			return err
		}
		v.Expires = seconds(s.settings.idle)
		return h.Expire(s.settings.idle)
	})
	return v, err
}

// lookUp reads who the session belongs to, without renewing it.
func (s *service) lookUp(tx *siltstone.Tx, id string) (v session, err error) {
	if len(id) != idLength {
		return v, errNoSession
	}
	fields, err := tx.In(s.sessions).Hash(id).GetMany("user", "since")
	if err != nil {
		return v, err
	}
	if fields[0] == nil { // never made, signed out, or expired: all look the same
		return v, errNoSession
	}
	v.User = string(fields[0])
	v.Since, err = time.Parse(time.RFC3339Nano, string(fields[1]))
	return v, err
}

// end drops the session, at SyncDurability: who has signed out must not be signed
// in again after a crash.
func (s *service) end(ctx context.Context, id string) error {
	if len(id) != idLength {
		return nil
	}
	return s.db.Update(ctx, func(tx *siltstone.Tx) error {
		_, err := tx.In(s.sessions).Key(id).Drop()
		return err
	})
}

// seconds rounds up, so that nobody is told to come before it is time.
func seconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
