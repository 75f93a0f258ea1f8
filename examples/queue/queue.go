package main

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/codec"
	"github.com/siltstonedb/siltstone/typed"
)

// job is something to be done at least once.
type job struct {
	ID       string `json:"id"`
	URL      string `json:"url"`
	Body     string `json:"body"`
	Attempts int    `json:"attempts"` // the one that runs included
	Error    string `json:"error,omitempty"`

	lease float64 // the score that take gave it
}

// queue keeps jobs in a keyspace. Jobs are taken in the order of a sorted set, whose scores
// say when each may be taken next:
//
//	due   zset  id → milliseconds since 1970
//	jobs  hash  id → job, as JSON
//	dead  hash  id → job that was given up
//
// To take a job is to move it into the future, by the time that it may run. So nothing has to
// be done for a worker that died: its job is due again when that time is over.
type queue struct {
	db       *siltstone.DB
	keyspace *siltstone.Keyspace
	settings settings
	added    chan struct{} // has one item after a job was added
}

type settings struct {
	lease    time.Duration // how long a job may run before somebody else takes it
	attempts int           // after so many a job is given up
	retry    time.Duration // the wait after the first failure; it doubles with each
}

var defaults = settings{lease: time.Minute, attempts: 8, retry: time.Second}

// newQueue finds the queue in db or makes it.
func newQueue(db *siltstone.DB, set settings) (*queue, error) {
	ks, err := db.CreateKeyspace("queue")
	return &queue{db: db, keyspace: ks, settings: set, added: make(chan struct{}, 1)}, err
}

func (q *queue) due(tx *siltstone.Tx) typed.ZSet { return tx.In(q.keyspace).ZSet("due") }

func (q *queue) jobs(tx *siltstone.Tx) codec.Map[string, job] {
	return codec.MapOf(tx.In(q.keyspace).Hash("jobs"), codec.String, codec.JSON[job]())
}

func (q *queue) dead(tx *siltstone.Tx) codec.Map[string, job] {
	return codec.MapOf(tx.In(q.keyspace).Hash("dead"), codec.String, codec.JSON[job]())
}

// score is a moment as the sorted set has it.
func score(t time.Time) float64 { return float64(t.UnixMilli()) }

// add puts a job into the queue, to be taken after the delay. When add has returned the job
// survives a power cut.
func (q *queue) add(ctx context.Context, j job, delay time.Duration) (id string, err error) {
	j.ID = rand.Text()
	return j.ID, q.db.Update(ctx, func(tx *siltstone.Tx) error {
		if _, err := q.jobs(tx).Set(j.ID, j); err != nil {
			return err
		}
		tx.OnCommit(q.wake)
		_, err := q.due(tx).Add(j.ID, score(tx.Now().Add(delay)))
		return err
	})
}

func (q *queue) wake() {
	select {
	case q.added <- struct{}{}:
	default:
	}
}

// take takes the job that has been due for longest. It may run for the lease, and then
// somebody else takes it. If none is due the error is errNone, and wait is the time until one
// is, or until somebody should look again.
//
// Many may take at once, and no two get the same job: one of them commits, and the others'
// Update runs again. The level is OSDurability. A power cut may forget that a job was taken,
// which brings it back sooner; but a job that kills the process each time is given up at last.
func (q *queue) take(ctx context.Context) (j job, wait time.Duration, err error) {
	err = q.db.Update(ctx, func(tx *siltstone.Tx) error {
		tx.SetDurability(siltstone.OSDurability)
		j, wait = job{}, time.Minute // it may run again
		now := score(tx.Now())
		for m, err := range q.due(tx).All() {
			if err != nil {
				return err
			}
			if m.Score > now {
				wait = min(wait, time.Duration(m.Score-now)*time.Millisecond)
				return nil
			}
			if j, err = q.jobs(tx).Get(m.Name); err != nil {
				return err
			}
			if j.Attempts >= q.settings.attempts {
				j.Error = "no attempt came to its end"
				if err := q.giveUp(tx, j); err != nil {
					return err
				}
				j = job{}
				continue
			}
			j.Attempts++
			j.lease = score(tx.Now().Add(q.settings.lease))
			if _, err := q.jobs(tx).Set(j.ID, j); err != nil {
				return err
			}
			_, err = q.due(tx).Add(j.ID, j.lease)
			return err
		}
		return nil
	})
	if err == nil && j.ID == "" {
		err = errNone
	}
	return j, wait, err
}

var (
	errNone = errors.New("no job is due")
	errLost = errors.New("the lease was over, and somebody else has the job")
)

// done takes a job out of the queue, or returns errLost.
func (q *queue) done(ctx context.Context, j job) error {
	return q.finish(ctx, j, func(tx *siltstone.Tx) error {
		_, err := q.jobs(tx).Remove(j.ID)
		return err
	})
}

// failed puts a job back, to be taken again after a while, or gives it up after the last
// attempt; or it returns errLost.
func (q *queue) failed(ctx context.Context, j job, cause error) error {
	j.Error = cause.Error()
	return q.finish(ctx, j, func(tx *siltstone.Tx) error {
		if j.Attempts >= q.settings.attempts {
			return q.giveUp(tx, j)
		}
		if _, err := q.jobs(tx).Set(j.ID, j); err != nil {
			return err
		}
		tx.OnCommit(q.wake)
		pause := q.settings.retry << (j.Attempts - 1)
		_, err := q.due(tx).Add(j.ID, score(tx.Now().Add(pause)))
		return err
	})
}

func (q *queue) giveUp(tx *siltstone.Tx, j job) error {
	if _, err := q.due(tx).Remove(j.ID); err != nil {
		return err
	}
	if _, err := q.jobs(tx).Remove(j.ID); err != nil {
		return err
	}
	_, err := q.dead(tx).Set(j.ID, j)
	return err
}

// finish ends the lease of a job and calls fn in the same transaction. The lease is the score
// that take gave it: if the job has another one now, somebody else has taken it since.
func (q *queue) finish(ctx context.Context, j job, fn func(*siltstone.Tx) error) error {
	return q.db.Update(ctx, func(tx *siltstone.Tx) error {
		at, err := q.due(tx).Score(j.ID)
		if errors.Is(err, siltstone.ErrNotFound) || err == nil && at != j.lease {
			return errLost
		}
		if err != nil {
			return err
		}
		if _, err := q.due(tx).Remove(j.ID); err != nil {
			return err
		}
		return fn(tx)
	})
}

// again takes a job that was given up back into the queue, with all its attempts.
func (q *queue) again(ctx context.Context, id string) error {
	return q.db.Update(ctx, func(tx *siltstone.Tx) error {
		j, err := q.dead(tx).Get(id)
		if err != nil {
			return err
		}
		if _, err := q.dead(tx).Remove(id); err != nil {
			return err
		}
		j.Attempts = 0
		if _, err := q.jobs(tx).Set(id, j); err != nil {
			return err
		}
		tx.OnCommit(q.wake)
		_, err = q.due(tx).Add(id, score(tx.Now()))
		return err
	})
}

// standing is what the queue holds.
type standing struct {
	Jobs int64 `json:"jobs"` // waiting and running
	Due  int64 `json:"due"`  // to be taken now
	Dead []job `json:"dead"` // the first of them
}

// standing reads what the queue holds at one moment.
func (q *queue) standing(ctx context.Context) (s standing, err error) {
	err = q.db.View(ctx, func(tx *siltstone.Tx) error {
		if s.Jobs, err = q.due(tx).Len(); err != nil {
			return err
		}
		if s.Due, err = q.due(tx).Count(typed.ByScore(math.Inf(-1), score(tx.Now()))); err != nil {
			return err
		}
		s.Dead = []job{}
		for e, err := range siltstone.Limit(q.dead(tx).All(), 20) {
			if err != nil {
				return err
			}
			s.Dead = append(s.Dead, e.Value)
		}
		return nil
	})
	return s, err
}
