package siltstone_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/typedtest"
)

func (s *testStore) ttl(key string) string {
	ttl, err := s.TTL([]byte(key))
	switch {
	case errors.Is(err, siltstone.ErrNotFound):
		return "[none]"
	case err != nil:
		return err.Error()
	case ttl == siltstone.NoTTL:
		return "forever"
	}
	return ttl.String()
}

func TestTimeToLive(t *testing.T) {
	s := newStore(t)
	wantText(t, s.ttl("k"), "[none]")
	s.put("k", "v")
	wantText(t, s.ttl("k"), "forever")
	for given, want := range map[time.Duration]string{
		1:                                       "1ms",
		time.Millisecond:                        "1ms",
		time.Millisecond + 1:                    "2ms",
		1500*time.Millisecond + time.Nanosecond: "1.501s",
		time.Hour:                               "1h0m0s",
	} {
		ok(t, s.PutTTL([]byte("k"), []byte("v"), given))
		wantText(t, s.ttl("k"), want)
		s.put("k", "v") // clears it
		wantText(t, s.ttl("k"), "forever")
		ok(t, s.Expire([]byte("k"), given))
		wantText(t, s.ttl("k"), want)
		ok(t, s.Persist([]byte("k")))
		wantText(t, s.ttl("k"), "forever")
	}
	ok(t, s.PutTTL([]byte("k"), []byte("v"), siltstone.NoTTL))
	if ttl, err := s.TTL([]byte("k")); err != nil || ttl < 290*365*24*time.Hour {
		t.Errorf("the longest TTL is %v, %v", ttl, err)
	}
	for _, ttl := range []time.Duration{0, -1, -time.Hour} {
		wantErr(t, s.PutTTL([]byte("k"), []byte("v"), ttl), siltstone.ErrBadTTL)
		var b siltstone.Batch
		b.PutTTL([]byte("k"), []byte("v"), ttl)
		wantErr(t, s.Apply(&b, siltstone.Sync), siltstone.ErrBadTTL)
		s.put("k", "v")
		ok(t, s.Expire([]byte("k"), ttl)) // deletes
		wantText(t, get(s, "k"), "[none]")
		wantErr(t, s.Expire([]byte("k"), ttl), siltstone.ErrNotFound)
	}
	wantErr(t, s.Expire([]byte("k"), time.Hour), siltstone.ErrNotFound)
	wantErr(t, s.Persist([]byte("k")), siltstone.ErrNotFound)
	wantErr(t, s.Expire(nil, time.Hour), siltstone.ErrEmptyKey)
	wantErr(t, s.Persist(nil), siltstone.ErrEmptyKey)
}

func TestExpiredKeyIsGoneEverywhereAtOnce(t *testing.T) {
	for name, settle := range map[string]func(s *testStore){
		"memtable": func(*testStore) {}, "table": (*testStore).flush, "last level": (*testStore).compact, "reopened": (*testStore).reopen,
	} {
		s := newStore(t, small)
		s.put("a", "1", "k", "old", "z", "1")
		ok(t, s.PutTTL([]byte("k"), []byte("v"), time.Second))
		settle(s)
		snap, err := s.NewSnapshot()
		ok(t, err)
		it := s.iter(nil)
		s.clock.advance(999 * time.Millisecond)
		wantText(t, get(s, "k"), "v")
		s.clock.advance(time.Millisecond)
		wantText(t, get(s, "k"), "[none]")
		wantText(t, s.ttl("k"), "[none]")
		wantText(t, list(s, siltstone.Range{}), "a=1 z=1")
		wantText(t, listBack(s, siltstone.Range{}), "z=1 a=1")
		s.compact()
		wantText(t, get(s, "k"), "[none]")
		wantText(t, get(snap, "k"), "v") // its clock stands still
		wantText(t, list(snap, siltstone.Range{}), "a=1 k=v z=1")
		wantText(t, walk(it, "first next next last prev"), "a k z z k")
		if t.Failed() {
			t.Fatalf("in the %s", name)
		}
		snap.Close()
	}
}

// TestRenewedTTLSurvivesExpiryOfItsOldRow: a merge that sees only the expired
// row of a session must not take the session for dead.
func TestRenewedTTLSurvivesExpiryOfItsOldRow(t *testing.T) {
	typedtest.InEveryForm(t, renewedTTLSurvivesExpiryOfItsOldRow)
}

func renewedTTLSurvivesExpiryOfItsOldRow(t *testing.T) {
	for name, renew := range map[string]func(s *testStore) error{
		"Expire":  func(s *testStore) error { return s.Expire([]byte("session"), 50*time.Minute) },
		"Persist": func(s *testStore) error { return s.Persist([]byte("session")) },
	} {
		s := newStore(t)
		s.fillHash("session", 12)
		ok(t, s.Expire([]byte("session"), 30*time.Minute))
		s.compact() // the row is in the last level
		ok(t, renew(s))
		s.clock.advance(31 * time.Minute)
		s.step()
		ok(t, s.CompactTables()) // what lies in tables, without what is in memory
		s.step()
		s.wantHash("session", 12)
		s.compact()
		s.step()
		s.wantHash("session", 12)
		s.check()
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func (s *testStore) fillHash(name string, n int) {
	s.t.Helper()
	for i := range n {
		_, err := s.Hash(name).Set(fmt.Sprintf("f%03d", i), []byte("v"))
		ok(s.t, err)
	}
}

func (s *testStore) wantHash(name string, n int) {
	s.t.Helper()
	if got, err := s.Hash(name).Len(); got != int64(n) || err != nil {
		s.t.Errorf("%s has %d fields, %v; want %d", name, got, err, n)
	}
	seen := 0
	for _, err := range s.Hash(name).All() {
		ok(s.t, err)
		seen++
	}
	if seen != n {
		s.t.Errorf("%s shows %d fields, want %d", name, seen, n)
	}
}

// TestPersistRacingExpiryConflicts: a transaction that saw the key alive, and
// commits when the store has acted on its expiry, would give life to a row
// whose elements are gone.
func TestPersistRacingExpiryConflicts(t *testing.T) {
	typedtest.InEveryForm(t, persistRacingExpiryConflicts)
}

func persistRacingExpiryConflicts(t *testing.T) {
	for name, act := range map[string]func(s *testStore){
		"nobody noticed": func(*testStore) {},
		"reaper":         (*testStore).step,
		"compaction":     func(s *testStore) { s.compact(); s.step() },
	} {
		s := newStore(t)
		s.fillHash("k", 100)
		ok(t, s.Expire([]byte("k"), 100*time.Millisecond))
		s.compact()
		s.clock.advance(99 * time.Millisecond)
		tx := s.begin()
		ok(t, tx.Persist([]byte("k")))
		s.clock.advance(6 * time.Millisecond)
		act(s)
		if err := tx.Commit(); !errors.Is(err, siltstone.ErrConflict) {
			t.Errorf("%s: commit of a Persist after expiry: %v", name, err)
		}
		s.step()
		wantText(t, list(s, siltstone.Range{}), "")
		s.check()
	}
}

// TestExpiredSessionIsNotRevivedByASlowWriter: somebody has acted on the absence
// of a string that has expired, while a transaction still saw it.
func TestExpiredSessionIsNotRevivedByASlowWriter(t *testing.T) {
	typedtest.InEveryForm(t, expiredSessionIsNotRevivedByASlowWriter)
}

func expiredSessionIsNotRevivedByASlowWriter(t *testing.T) {
	for _, how := range []string{"Get", "Scan", "Has", "TTL", "Expire"} {
		s := newStore(t)
		ok(t, s.PutTTL([]byte("s"), []byte("session"), 100*time.Millisecond))
		s.clock.advance(99 * time.Millisecond)
		slow := s.begin()
		switch how {
		case "Get":
			wantText(t, get(slow, "s"), "session")
		case "Scan":
			wantText(t, list(slow, rng("s", "t")), "s=session")
		case "Has":
			_, err := slow.Has([]byte("s"))
			ok(t, err)
		case "TTL":
			_, err := slow.TTL([]byte("s"))
			ok(t, err)
		case "Expire":
			ok(t, slow.Expire([]byte("s"), time.Hour))
		}
		ok(t, slow.PutTTL([]byte("s"), []byte("session"), time.Hour))
		s.clock.advance(2 * time.Millisecond)
		ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
			wantText(t, get(tx, "s"), "[none]")
			return tx.Put([]byte("login"), nil)
		}))
		err := slow.Commit()
		var conflict *siltstone.ConflictError
		if !errors.As(err, &conflict) || !conflict.Expired || string(conflict.Range.Lower) != "s" {
			t.Errorf("%s: commit after expiry: %v", how, err)
		}
		wantText(t, list(s, siltstone.Range{}), "login=")
	}
}

func TestUpdateOfAKeyThatExpiresUnderItRunsAgain(t *testing.T) {
	s := newStore(t)
	ok(t, s.PutTTL([]byte("n"), []byte("9"), time.Second))
	var seen []string
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		seen = append(seen, get(tx, "n"))
		s.clock.advance(600 * time.Millisecond)
		return tx.Put([]byte("n"), []byte("1"))
	}))
	wantText(t, fmt.Sprint(seen), "[9]")
	ok(t, s.PutTTL([]byte("n"), []byte("9"), 500*time.Millisecond))
	seen = nil
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		seen = append(seen, get(tx, "n"))
		s.clock.advance(600 * time.Millisecond)
		return tx.Put([]byte("n"), []byte("1"))
	}))
	wantText(t, fmt.Sprint(seen), "[9 [none]]")
}

// TestUpdateOverKeysThatExpireAllTheTimeGetsThrough: behind the gate the store's
// clock stands still.
func TestUpdateOverKeysThatExpireAllTheTimeGetsThrough(t *testing.T) {
	s := newStore(t)
	for i := range 100 {
		ok(t, s.PutTTL(fmt.Appendf(nil, "k%02d", i), nil, time.Duration(i+1)*time.Millisecond))
	}
	attempts := 0
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		attempts = tx.Attempt()
		_ = list(tx, siltstone.Range{})
		s.clock.advance(time.Millisecond)
		return tx.Put([]byte("n"), nil)
	}))
	if attempts != 5 {
		t.Errorf("%d attempts, want 5: the first behind the gate", attempts)
	}
}

func TestTransactionHasOneClockReading(t *testing.T) {
	s := newStore(t)
	ok(t, s.PutTTL([]byte("k"), []byte("v"), time.Second))
	ok(t, s.View(bg, func(tx *siltstone.Tx) error {
		now := tx.Now()
		s.clock.advance(time.Minute)
		wantText(t, get(tx, "k"), "v")
		wantText(t, list(tx, siltstone.Range{}), "k=v")
		if !tx.Now().Equal(now) {
			t.Errorf("the clock moved from %v to %v", now, tx.Now())
		}
		return nil
	}))
	wantText(t, get(s, "k"), "[none]")
}

func TestClockThatGoesBackRevivesNothing(t *testing.T) {
	typedtest.InEveryForm(t, clockThatGoesBackRevivesNothing)
}

func clockThatGoesBackRevivesNothing(t *testing.T) {
	s := newStore(t)
	ok(t, s.PutTTL([]byte("k"), []byte("v"), time.Second))
	ok(t, s.PutTTL([]byte("later"), []byte("v"), time.Hour))
	s.clock.advance(time.Minute)
	wantText(t, list(s, siltstone.Range{}), "later=v")
	s.clock.advance(-time.Hour)
	wantText(t, list(s, siltstone.Range{}), "later=v")
	s.put("x", "1") // carries the reading
	s.reopen()
	wantText(t, list(s, siltstone.Range{}), "later=v x=1")
	s.clock.advance(59 * time.Minute) // time goes on while the wall is behind
	wantText(t, list(s, siltstone.Range{}), "x=1")
}
