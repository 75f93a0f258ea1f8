package conformance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// knownFaults are the features in which the store is known to be wrong. They are
// left out of the histories, and each must be convicted when it is put in: whoever
// mends one takes it off.
var knownFaults []string

// mostOpen is how long a transaction may be open, by the clock.
const mostOpen = time.Second

// handClock is a clock that moves when told.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// replayed is a store in which transactions are made a move of one, a move of
// another, and a second one in which those that commit are made again, one by one
// in the order of their commits, at the time of their commits. All that a
// transaction was told must be what it is told there.
//
//	beside each other   a₁ b₁ a₂ c₁ b₂ commit(b) c₂ a₃ commit(a): conflict …
//	one by one          b₁ b₂ commit(b) c₁ c₂ commit(c) …
type replayed struct {
	t        testing.TB
	m        *mover
	clock    *handClock
	crowded  *siltstone.DB
	alone    *siltstone.DB
	stamps   [2]*siltstone.Keyspace // every transaction writes one key there, so that it is none that only reads
	begun    int
	judged   int
	conflict int
}

// staged is a transaction that is open in the crowded store.
type staged struct {
	play
	moves   []move
	answers []string
	began   time.Time
	left    int // moves before its end
	stamp   []byte
}

func newReplayed(t testing.TB, seed uint64, features map[string]bool) *replayed {
	t.Helper()
	clock := &handClock{now: time.UnixMilli(1_700_000_000_000)}
	r := &replayed{t: t, clock: clock, m: &mover{Rand: rand.New(rand.NewPCG(seed, 0x9e)), clock: clock, features: features}}
	for i, db := range []**siltstone.DB{&r.crowded, &r.alone} {
		var err error
		*db, err = siltstone.Open("db", &siltstone.Options{
			FS: vfs.NewMem(), Clock: clock.Now, Durability: siltstone.BufferedDurability, MemtableBytes: 64 << 10, MemoryLimit: 8 << 20,
		})
		if err == nil {
			r.stamps[i], err = (*db).CreateKeyspace("stamps")
		}
		if err == nil {
			err = (*db).Update(bg, fillReplayed)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *replayed) close() {
	if err := errors.Join(r.crowded.Close(), r.alone.Close()); err != nil {
		r.t.Error(err)
	}
}

// fillReplayed makes the collections of which there is a large one, and the keys of
// which there are many.
func fillReplayed(tx *siltstone.Tx) error {
	var errs []error
	note := func(_ int, err error) { errs = append(errs, err) }
	for i := range 100 {
		name := fmt.Sprintf("other %03d, with a name that is longer", i)
		note(tx.Hash("c/h1").SetMany(typed.Field{Name: name}))
		note(tx.Set("c/s1").Add(name))
		note(tx.ZSet("c/z1").AddMany(0, typed.Member{Name: name, Score: 9}))
		_, err := tx.List("c/l1").PushBack([]byte(name))
		errs = append(errs, err)
	}
	for i := 0; i < wideKeys; i += 2 {
		errs = append(errs, tx.Put(fmt.Appendf(nil, "w/%04d", i), []byte("v")))
	}
	return errors.Join(errs...)
}

// begin begins a transaction in the crowded store.
func (r *replayed) begin() (*staged, error) {
	tx, err := r.crowded.Begin(bg, siltstone.ReadWriteMode)
	if err != nil {
		return nil, err
	}
	s := &staged{play: play{tx: tx}, began: r.clock.Now(), left: 1 + r.m.IntN(6), stamp: fmt.Appendf(nil, "%06d", r.begun)}
	if r.m.features[hiddenReads] {
		s.snap, err = r.crowded.NewSnapshot()
	}
	r.begun++
	return s, errors.Join(err, tx.In(r.stamps[0]).Put(s.stamp, nil))
}

// step makes one more move of s.
func (r *replayed) step(s *staged) {
	var mv move
	switch n := r.m.IntN(10); {
	case s.left == 0:
		mv = r.m.end()
	case n < 4:
		mv = r.m.read()
	case n < 7:
		mv = r.m.write()
	case n < 9:
		mv = r.m.open()
	default:
		mv = r.m.on()
	}
	s.left--
	s.moves = append(s.moves, mv)
	s.answers = append(s.answers, mv.do(&s.play))
}

// replay makes the transaction again in the other store. Nobody is beside it but
// the reaper, whom it may meet.
func (r *replayed) replay(s *staged) error {
	for range 100 {
		tx, err := r.alone.Begin(bg, siltstone.ReadWriteMode)
		if err != nil {
			return err
		}
		p := &play{tx: tx}
		if r.m.features[hiddenReads] {
			p.snap, err = r.alone.NewSnapshot()
		}
		if err = errors.Join(err, tx.In(r.stamps[1]).Put(s.stamp, nil)); err != nil {
			p.close()
			tx.Rollback()
			return err
		}
		differ := -1
		var got string
		for i, mv := range s.moves {
			if got = mv.do(p); got != s.answers[i] {
				differ = i
				break
			}
		}
		p.close()
		tx.Rollback()
		switch {
		case differ >= 0:
			return s.convict(differ, got)
		case errors.Is(p.err, siltstone.ErrConflict):
			continue
		}
		return p.err
	}
	return errors.New("alone it always conflicts")
}

// errConvicted is wrapped by what the judge says of a history that no order
// explains.
var errConvicted = errors.New("not as one by one")

func (s *staged) convict(at int, got string) error {
	var b strings.Builder
	for i, mv := range s.moves[:at+1] {
		fmt.Fprintf(&b, "\n  %s → %.300s", mv.text, s.answers[i])
	}
	return fmt.Errorf("%w: a transaction that committed was told%s\nand alone, at the time of its commit, the last answer is %.300s", errConvicted, b.String(), got)
}

// run makes a history of about so many moves.
func (r *replayed) run(moves int) error {
	var open []*staged
	defer func() {
		for _, s := range open {
			s.close()
			s.tx.Rollback()
		}
	}()
	for range moves {
		if len(open) < 5 {
			s, err := r.begin()
			if err != nil {
				return err
			}
			open = append(open, s)
		}
		if r.m.IntN(3) == 0 {
			r.clock.advance(time.Duration(r.m.IntN(120)) * time.Millisecond)
		}
		at := r.m.IntN(len(open))
		s := open[at]
		late := r.clock.Now().Sub(s.began) >= mostOpen
		if !late {
			r.step(s)
		}
		if !late && !s.ended {
			continue
		}
		open = slices.Delete(open, at, at+1)
		if err := r.ended(s); err != nil {
			return err
		}
	}
	return nil
}

// ended judges a transaction that is over.
func (r *replayed) ended(s *staged) error {
	s.close()
	s.tx.Rollback()
	switch {
	case !s.ended:
		return nil
	case errors.Is(s.err, siltstone.ErrConflict):
		r.conflict++
		return nil
	case s.err != nil:
		return s.err
	}
	r.judged++
	if err := r.replay(s); err != nil {
		return err
	}
	if r.judged%20 == 0 {
		return r.compare()
	}
	return nil
}

// compare compares what the two stores hold.
func (r *replayed) compare() error {
	crowded, err := contents(r.crowded)
	if err != nil {
		return err
	}
	alone, err := contents(r.alone)
	if err == nil && crowded != alone {
		err = fmt.Errorf("%w: the store holds\n  %s\nand one by one\n  %s", errConvicted, crowded, alone)
	}
	return err
}

// contents draws all that moves can change, but for the keys of which there are
// many.
func contents(db *siltstone.DB) (all string, err error) {
	var b strings.Builder
	err = db.View(bg, func(tx *siltstone.Tx) error {
		for kv, err := range tx.Scan(siltstone.Prefix([]byte("k/"))) {
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s=%s ", kv.Key, kv.Value)
		}
		for _, n := range []string{"0", "1"} {
			for f, err := range tx.Hash("c/h" + n).All() {
				fmt.Fprintf(&b, "%s=%s%v ", f.Name, f.Value, err)
			}
			for v, err := range tx.Set("c/s" + n).All() {
				fmt.Fprintf(&b, "%s%v ", v, err)
			}
			for v, err := range tx.ZSet("c/z" + n).All() {
				fmt.Fprintf(&b, "%v%v ", v, err)
			}
			for v, err := range tx.List("c/l"+n).Range(0, -1) {
				fmt.Fprintf(&b, "%s%v ", v, err)
			}
		}
		return nil
	})
	return b.String(), err
}

// history makes one and returns how many transactions were judged.
func history(t testing.TB, seed uint64, moves int, features ...string) (judged int, err error) {
	set := map[string]bool{}
	for _, f := range features {
		set[f] = true
	}
	r := newReplayed(t, seed, set)
	defer r.close()
	err = r.run(moves)
	if err == nil {
		err = r.compare()
	}
	return r.judged, err
}

func TestWhatTransactionsAreToldIsWhatOneByOneTheyWouldBe(t *testing.T) {
	features := slices.DeleteFunc([]string{openWalks, keyDeadlines}, func(f string) bool { return slices.Contains(knownFaults, f) })
	budgeted(t, func(seed uint64) int {
		judged, err := history(t, seed, 2000, features...)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		return judged
	})
}

// A judge that convicts nobody must have been able to.
func TestReplayConvictsWhatIsKnownToBeWrong(t *testing.T) {
	for _, fault := range append([]string{hiddenReads}, knownFaults...) {
		t.Run(fault, func(t *testing.T) {
			for seed := range uint64(50) {
				judged, err := history(t, seed, 2000, fault)
				if errors.Is(err, errConvicted) {
					t.Logf("history %d, transaction %d: %v", seed, judged, err)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Error("not found in 50 histories: if it is mended it is no known fault any more")
		})
	}
}
