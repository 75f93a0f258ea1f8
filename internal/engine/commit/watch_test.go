package commit

import (
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/internal/record"
)

// watched is a section in which many reads are being validated.
func watched() (*Section, *watch) {
	var r readset.Set
	for i := range 100 {
		row := fmt.Appendf(nil, "\x01row %03d", i)
		r.AddPoint(base.HashRow(row), row)
	}
	r.AddInterval([]byte("\x01scan 1"), []byte("\x01scan 5"), true)
	s := new(Section)
	return s, s.beginWatch(&r)
}

// enter notes changes as the commit section does.
func enter(s *Section, changes ...*Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		for _, w := range s.watches {
			w.noteLocked(c)
		}
	}
}

// change puts a key, and others before it.
func change(key string, others int) *Change {
	c := new(Change)
	for i := range others {
		c.AddOp(putOf(fmt.Sprint("other ", i)))
	}
	c.AddOp(putOf(key))
	c.Own()
	return c
}

func deletion(lo, hi string) *Change {
	c := new(Change)
	c.AddRangeDelete([]byte("\x01"+lo), []byte("\x01"+hi))
	return c
}

func TestAWatchFindsWhateverEntersOfWhatWasRead(t *testing.T) {
	for name, c := range map[string]struct {
		change   *Change
		conflict bool
	}{
		"a point":                      {change("row 077", 0), true},
		"a scanned row":                {change("scan 3", 0), true},
		"the last scanned row":         {change("scan 5", 0), true},
		"a row behind":                 {change("scan 50", 0), false},
		"another":                      {change("row 077a", 0), false},
		"one of a large change":        {change("row 000", 5000), true},
		"none of a large change":       {change("row 100", 5000), false},
		"a range with a point":         {deletion("row 098a", "row 099a"), true},
		"a range between points":       {deletion("row 098a", "row 099"), false},
		"a range over what was read":   {deletion("scan 4", "scan 4a"), true},
		"a range behind what was read": {deletion("scan 5a", "t"), false},
	} {
		// Outside the section.
		s, w := watched()
		enter(s, change("before", 0), c.change, change("behind", 0))
		if complete, err := s.ask(w); !complete || IsConflict(err) != c.conflict {
			t.Errorf("%s: asked: %v, %v", name, complete, err)
		}
		// Inside, or it is sent outside.
		s, w = watched()
		enter(s, change("before", 0), c.change)
		err := w.conflictLocked()
		if err == errRevalidate {
			_, err = s.ask(w)
		}
		if IsConflict(err) != c.conflict {
			t.Errorf("%s: asked inside: %v", name, err)
		}
		s.endWatch(w)
		if len(s.watches) > 0 {
			t.Error("a watch that was ended goes on")
		}
	}
}

func TestAWatchIsNotToldWhatItsOwnerLetsGoOf(t *testing.T) {
	s, w := watched()
	c := NewChange()
	c.AddOp(putOf("row 077"))
	enter(s, c)
	c.Free()
	again := NewChange() // of the same memory
	again.AddOp(putOf("another"))
	if _, err := s.ask(w); !IsConflict(err) {
		t.Error("what entered was overwritten")
	}
}

func TestMuchIsAskedOutsideTheSection(t *testing.T) {
	s, w := watched()
	for range watchFew + 1 {
		enter(s, change("another", 0))
	}
	if err := w.conflictLocked(); err != errRevalidate {
		t.Errorf("%v for %d operations inside the section", err, w.seen.ops)
	}
	if complete, err := s.ask(w); !complete || err != nil {
		t.Error(complete, err)
	}
	if err := w.conflictLocked(); err != nil {
		t.Error(err)
	}
}

func TestAWatchThatHasLostCountSaysSoOnce(t *testing.T) {
	s, w := watched()
	big := change("another", 100_000)
	for range mostWatched/100_000 + 1 {
		enter(s, big)
	}
	enter(s, change("row 000", 0)) // lost, too
	if err := w.conflictLocked(); err != errRevalidate {
		t.Error(err)
	}
	if complete, err := s.ask(w); complete || err != nil {
		t.Errorf("%v, %v of a watch that was full", complete, err)
	}
	enter(s, change("row 001", 0))
	if complete, err := s.ask(w); !complete || !IsConflict(err) {
		t.Errorf("%v, %v after it began anew", complete, err)
	}
}

func TestAChangeWaitsForSoManyTurnsOnly(t *testing.T) {
	g := &Turns{}
	turn := &Turn{turns: g, until: time.Now().Add(time.Hour)}
	g.now.Store(turn)
	if c := (&Change{waited: mostTurns - 1}); !g.holdsBack(c) || !turn.Undisturbed() {
		t.Error("it does not wait")
	}
	if c := (&Change{waited: mostTurns}); g.holdsBack(c) || turn.Undisturbed() {
		t.Error("it waits for one turn more, or the turn is not told that it was overtaken")
	}
}

func putOf(key string) record.Op {
	return record.Op{Attr: base.MakeAttr(base.KindPut, 0, false), Key: []byte("\x01" + key), Value: []byte("value")}
}

func TestPostponedDeadlinesCountFromLater(t *testing.T) {
	c := change("first", 3)
	o := putOf("dated")
	o.Attr, o.Expiry = base.MakeAttr(base.KindPut, 0, true), 1_000
	c.AddOp(o)
	c.AddRangeDelete([]byte("a"), []byte("b"))
	if c.postpone(2_000) {
		t.Error("a fixed deadline was moved")
	}
	before := []record.Op{c.Op(0), c.Op(3), c.Op(4), c.Op(5)}
	c.From = 900
	if c.postpone(800) || !c.postpone(1_000_900) || c.From != 1_000_900 {
		t.Error("not moved, or moved back")
	}
	before[2].Expiry = 1_001_000
	for i, n := range []int{0, 3, 4, 5} {
		if got, want := fmt.Sprint(c.Op(n)), fmt.Sprint(before[i]); got != want {
			t.Errorf("operation %d is %s, want %s", n, got, want)
		}
	}
	if c.bytes != int64(len("\x01other 0value")*3+len("\x01firstvalue")+len("\x01datedvalue")+2) {
		t.Errorf("%d bytes", c.bytes)
	}
}
