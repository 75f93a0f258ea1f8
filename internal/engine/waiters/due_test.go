package waiters_test

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// later is a sorted set of what is to be done later, in a bubble whose time is not real.
type later struct {
	t     *testing.T
	z     typed.ZSet
	begin time.Time
}

// add adds a member that is due after d.
func (l later) add(member string, d time.Duration) {
	l.t.Helper()
	_, err := l.z.Add(member, float64(l.begin.Add(d).UnixMilli()))
	ok(l.t, err)
}

// next waits for the next member, and returns it with the time at which it came.
func (l later) next() ([]byte, error) {
	m, err := l.z.WaitMin(l.t.Context(), typed.UnixMilli)
	return fmt.Appendf(nil, "%s at %v", m.Name, time.Since(l.begin)), err
}

func TestWaitMinReturnsAMemberWhenItsTimeHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := later{t, open(t).ZSet("later"), time.Now()}
		var s served
		s.caller("1", l.next)
		s.caller("2", l.next)
		s.caller("3", l.next)
		l.add("in a minute", time.Minute)
		l.add("in two", 2*time.Minute)
		l.add("now", 0)
		s.sofar(t, "1 now at 0s")
		time.Sleep(30 * time.Second)
		s.sofar(t)
		l.add("sooner", 45*time.Second)
		time.Sleep(15 * time.Second)
		s.sofar(t, "2 sooner at 45s")
		time.Sleep(time.Minute)
		s.sofar(t, "3 in a minute at 1m0s")
		s.caller("4", l.next)
		time.Sleep(time.Minute)
		s.sofar(t, "4 in two at 2m0s")
	})
}

// The head of the line has the alarm: whoever comes to the head has it then.
func TestTheAlarmGoesToTheNextWhenItsCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := later{t, open(t).ZSet("later"), time.Now()}
		l.add("in a minute", time.Minute)
		var s served
		ctx, leave := context.WithCancel(t.Context())
		s.caller("1", func() ([]byte, error) { _, err := l.z.WaitMin(ctx, typed.UnixMilli); return nil, err })
		s.caller("2", l.next)
		time.Sleep(time.Second)
		leave()
		s.sofar(t, "1 context canceled")
		time.Sleep(2 * time.Minute)
		s.sofar(t, "2 in a minute at 1m0s")
	})
}

// A score that changes writes rows of the set alone, if it is large.
func TestWaitMinSeesAScoreThatChangesInALargeSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := later{t, open(t).ZSet("later"), time.Now()}
		for i := range 600 {
			l.add(strconv.Itoa(i), 24*time.Minute+time.Duration(i)*time.Second)
		}
		var s served
		s.caller("1", l.next)
		s.caller("2", l.next)
		time.Sleep(time.Second)
		l.add("300", 2*time.Second)
		time.Sleep(time.Minute)
		s.sofar(t, "1 300 at 2s")
		ok(t, l.z.Rename("elsewhere")) // the rows are another key's now
		synctest.Wait()
		l.add("other", 2*time.Minute)
		for i := range 600 {
			l.add(strconv.Itoa(i), 24*time.Minute)
		}
		l.add("400", 90*time.Second)
		time.Sleep(time.Minute)
		s.sofar(t, "2 400 at 1m30s")
	})
}

func TestWaitMinWithoutATimeIsAQueueByPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := open(t).ZSet("z")
		var s served
		wait := func() ([]byte, error) {
			m, err := z.WaitMin(t.Context(), nil)
			return []byte(m.Name), err
		}
		for i := range 3 {
			s.caller(strconv.Itoa(i), wait)
		}
		_, err := z.AddMany(0, typed.Member{Name: "low", Score: math.Inf(1)}, typed.Member{Name: "high", Score: math.Inf(-1)}, typed.Member{Name: "", Score: 3})
		ok(t, err)
		s.sofar(t, "0 high", "1 ", "2 low")
	})
}

// No timer follows a clock that is set.
func TestWaitMinFollowsAClockThatIsSetForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		db := open(t, func(o *siltstone.Options) {
			o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		})
		l := later{t, db.ZSet("later"), time.Now()}
		l.add("in a year", 365*24*time.Hour)
		ok(t, db.PutTTL([]byte("k"), nil, 365*24*time.Hour))
		var s served
		s.caller("1", l.next)
		seen := 0
		s.caller("2", func() (k []byte, err error) {
			for k, err = range db.Wait(t.Context(), []byte("k")) {
				if seen++; err != nil || seen == 2 {
					break
				}
			}
			return k, err
		})
		ahead.Store(int64(366 * 24 * time.Hour))
		time.Sleep(1500 * time.Millisecond)
		s.sofar(t, "1 in a year at 1s", "2 k")
	})
}

// Whatever until does, the line goes on.
func TestAPanicOfUntilLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := later{t, open(t).ZSet("later"), time.Now()}
		var s served
		s.caller("1", func() (_ []byte, err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			_, err = l.z.WaitMin(t.Context(), func(float64) time.Time { panic("until") })
			return nil, err
		})
		s.caller("2", l.next)
		l.add("now", 0)
		s.sofar(t, "1 until", "2 now at 0s")
	})
}

func TestScoresAreTimes(t *testing.T) {
	for _, c := range []struct {
		got  time.Time
		want time.Time
	}{
		{typed.UnixMilli(1500), time.UnixMilli(1500)},
		{typed.UnixSeconds(1.5), time.UnixMilli(1500)},
		{typed.UnixMilli(0.25), time.Unix(0, 250_000)},
		{typed.UnixSeconds(-1), time.Unix(-1, 0)},
		{typed.UnixMilli(math.Inf(-1)), time.UnixMilli(-1 << 52)},
		{typed.UnixSeconds(math.MaxFloat64), time.UnixMilli(1 << 52)},
	} {
		if !c.got.Equal(c.want) {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
	synctest.Test(t, func(t *testing.T) { // far beyond what any clock shows
		db := open(t)
		_, err := db.ZSet("z").Add("never", math.Inf(1))
		ok(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		for _, until := range []func(float64) time.Time{typed.UnixMilli, func(float64) time.Time { return time.Unix(1<<60, 0) }} {
			_, err = db.ZSet("z").WaitMin(ctx, until)
			is(t, err, context.DeadlineExceeded)
		}
	})
}

// Others who do not wait take members and change scores between a look and a removal.
func TestWaitMinBesideCallsThatDoNotWait(t *testing.T) {
	db := open(t)
	z := db.ZSet("z")
	const members = 400
	for i := range members { // so many that a score that changes leaves the key's row alone
		_, err := z.Add(strconv.Itoa(i), float64(time.Now().UnixMilli()))
		ok(t, err)
	}
	var taken atomic.Int32
	var all sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	take := func(until func(float64) time.Time) {
		all.Go(func() {
			for {
				if _, err := z.WaitMin(ctx, until); err != nil {
					is(t, err, context.Canceled)
					return
				}
				if taken.Add(1) == members {
					cancel()
				}
			}
		})
	}
	take(typed.UnixMilli)
	take(nil)
	all.Go(func() {
		for i := range members {
			_, err := z.AddMany(typed.CondXX, typed.Member{Name: strconv.Itoa(i), Score: float64(time.Now().UnixMilli() + 2)})
			ok(t, err)
			if i%4 == 0 {
				popped, err := z.PopMin(1)
				ok(t, err)
				if taken.Add(int32(len(popped))) == members {
					cancel()
				}
			}
		}
	})
	all.Wait()
	if n := taken.Load(); n != members {
		t.Errorf("%d of %d members were taken", n, members)
	}
}
