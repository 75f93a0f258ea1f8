package readset

import "testing"

func TestASetKeepsCopies(t *testing.T) {
	var s Set
	b := []byte("row1")
	s.AddPoint(1, b)
	s.AddInterval(b, []byte("row9"), true)
	s.AddExpiry(b, 50)
	copy(b, "XXXX")
	if got := string(s.Points()[0].Row); got != "row1" {
		t.Errorf("point %q", got)
	}
	if got := string(s.Intervals()[0].Lo); got != "row1" {
		t.Errorf("interval from %q", got)
	}
	if _, row := s.Expiry(); string(row) != "row1" {
		t.Errorf("expiry of %q", row)
	}
}

func TestTheEarliestExpiryCounts(t *testing.T) {
	var s Set
	for _, c := range []struct {
		row    string
		expiry int64
	}{{"none", 0}, {"late", 90}, {"early", 40}, {"later", 70}} {
		s.AddExpiry([]byte(c.row), c.expiry)
	}
	if at, row := s.Expiry(); at != 40 || string(row) != "early" {
		t.Errorf("%d of %q", at, row)
	}
}

func TestAnInclusiveEndTakesTheKeyIn(t *testing.T) {
	var s Set
	s.AddInterval([]byte("a"), []byte("b"), true)
	s.AddInterval([]byte("a"), []byte("b"), false)
	s.AddInterval([]byte("a"), nil, false)
	for i, want := range []string{"b\x00", "b", ""} {
		if got := string(s.Intervals()[i].Upper()); got != want {
			t.Errorf("interval %d ends before %q, want %q", i, got, want)
		}
	}
	if string(s.Intervals()[0].Hi) != "b" {
		t.Error("Upper wrote into the interval")
	}
}

func TestAResetSetRemembersNothing(t *testing.T) {
	var s Set
	s.AddPoint(1, []byte("k"))
	s.AddInterval([]byte("a"), nil, false)
	s.AddExpiry([]byte("k"), 9)
	s.Reset(7, 8, nil)
	if !s.Empty() || s.Seq != 7 || s.Clock != 8 {
		t.Errorf("%+v", s)
	}
	s.AddPoint(1, []byte("k"))
	if len(s.Points()) != 1 {
		t.Error("the row noted last before Reset is taken for noted")
	}
}

func TestAResetSetKeepsItsMemoryUpToABound(t *testing.T) {
	var s Set
	row := make([]byte, 100)
	note := func() {
		s.Reset(1, 1, nil)
		row[0]++
		s.AddPoint(1, row)
		row[0]++
		s.AddPoint(2, row)
	}
	note()
	if n := testing.AllocsPerRun(100, note); n != 0 {
		t.Errorf("%v allocations for two rows", n)
	}
	if a, b := s.Points()[0].Row[0], s.Points()[1].Row[0]; b != a+1 {
		t.Errorf("rows %d and %d overlap", a, b)
	}
	s.AddPoint(3, make([]byte, 1<<20))
	s.Reset(1, 1, nil)
	if cap(s.arena) > arenaMax {
		t.Errorf("%d bytes are kept", cap(s.arena))
	}
}

func TestWhatIsNotedAfterTheEndIsNobodyElses(t *testing.T) {
	var ended, next Set
	ended.Begin(1, 0, nil)
	ended.AddPoint(1, []byte("read"))
	ended.End()
	if !ended.Empty() || ended.Seq != 0 {
		t.Fatalf("a set that has ended has %v", ended.Points())
	}
	next.Begin(2, 0, nil)
	if !next.Empty() || next.Seq != 2 {
		t.Fatalf("a new set has %v", next.Points())
	}
	next.AddPoint(2, []byte("next"))
	ended.AddPoint(3, []byte("late"))
	if got := next.Points(); len(got) != 1 || string(got[0].Row) != "next" {
		t.Errorf("the new set has %v", got)
	}
	ended.End() // a second time: nothing to give
	var other Set
	other.Begin(3, 0, nil)
	other.AddPoint(4, []byte("more"))
	if got := next.Points(); string(got[0].Row) != "next" {
		t.Errorf("the new set has %v", got)
	}
}
