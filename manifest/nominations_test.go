package manifest

import "testing"

func TestAFlushSettlesOnlyWhatIsNotOpenAgain(t *testing.T) {
	seven := []IDRange{{First: 7, Last: 7}}
	for _, c := range []struct {
		name  string
		again func(*Nominations) (nominated []IDRange)
		want  string
	}{
		{"once decided", func(*Nominations) []IDRange { return nil }, "0/7"},
		{"nominated by the flush itself", func(*Nominations) []IDRange { return seven }, ""},
		{"nominated since", func(n *Nominations) []IDRange { n.Add(seven); return nil }, ""},
		{"being decided once more", func(n *Nominations) []IDRange { n.Add(seven); n.Take(1); return nil }, ""},
		{"decided once more, in the next memtable", func(n *Nominations) []IDRange {
			n.Add(seven)
			n.Take(1)
			n.Decided(2)
			return nil
		}, ""},
	} {
		var n Nominations
		n.Add(seven)
		n.Take(1)
		n.Decided(1)
		nominated := c.again(&n)
		if got := drawRanges(n.settles(1, nominated)); got != c.want {
			t.Errorf("%s: settles %q, want %q", c.name, got, c.want)
		}
	}
}
