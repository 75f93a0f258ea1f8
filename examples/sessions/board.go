package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The leaderboard is one sorted set, which counts as it goes: a position costs a
// few reads at any size.
//
//	board · points  zset   bob → 12   ada → 30   eve → 30
const boardName = "points"

// place is a row of the leaderboard. Rank 1 is the best.
type place struct {
	Rank   int64   `json:"rank"`
	User   string  `json:"user"`
	Points float64 `json:"points"`
}

// neighbours is how many places above and below the one asked for are shown.
const neighbours = 2

// add adds points for the user whose session it is, and returns the place that
// is theirs now. One transaction spans both keyspaces: somebody who signs out at
// the same time either has the points or is refused.
//
// The level is that of the store, SyncDurability: points that were acknowledged stay.
func (s *service) add(ctx context.Context, id string, points int) (p place, err error) {
	err = s.db.Update(ctx, func(tx *siltstone.Tx) error {
		v, err := s.lookUp(tx, id)
		if err != nil {
			return err
		}
		z := tx.In(s.board).ZSet(boardName)
		p = place{User: v.User}
		if p.Points, err = z.Incr(v.User, float64(points)); err != nil {
			return err
		}
		above, err := z.RevRank(v.User)
		p.Rank = above + 1
		return err
	})
	return p, err
}

// standings is the leaderboard as it is shown.
type standings struct {
	Players int64   `json:"players"`
	Top     []place `json:"top"`
	Around  []place `json:"around,omitempty"`
}

// standings reads the board. The whole answer is of one moment: somebody who
// rises meanwhile is not listed twice.
func (s *service) standings(ctx context.Context, top int, around string) (b standings, err error) {
	err = s.db.View(ctx, func(tx *siltstone.Tx) error {
		z := tx.In(s.board).ZSet(boardName)
		if b.Players, err = z.Len(); err != nil {
			return err
		}
		if b.Top, err = places(z, 0, int64(top)); err != nil || around == "" {
			return err
		}
		above, err := z.RevRank(around)
		if errors.Is(err, siltstone.ErrNotFound) {
			return refusal{http.StatusNotFound, "nobody of that name has points"}
		}
		if err != nil {
			return err
		}
		first := max(0, above-neighbours)
		b.Around, err = places(z, first, above+neighbours+1-first)
		return err
	})
	return b, err
}

// places returns n places, from the one that has skip above it on.
func places(z typed.ZSet, skip, n int64) ([]place, error) {
	found := []place{} // an empty list in JSON, not null
	for m, err := range z.Range(typed.ByRank(skip, skip+n-1).Reverse()) {
		if err != nil {
			return nil, err
		}
		found = append(found, place{Rank: skip + int64(len(found)) + 1, User: m.Name, Points: m.Score})
	}
	return found, nil
}
