package background

import "testing"

func TestWhenAMemtableIsFlushedForItsReaders(t *testing.T) {
	const paid = 100
	for _, c := range []struct {
		name          string
		m             memReaders
		flush, forget bool
	}{
		{"nobody has read", memReaders{bytes: 10, filled: 50, room: 64, idle: true}, false, false},
		{"paid for, idle, small", memReaders{lost: paid, bytes: 10, upon: 100, filled: 1, room: 64, idle: true}, true, false},
		{"what is below not quite paid for", memReaders{lost: paid - 1, bytes: 10, upon: 100, filled: 1, room: 64, idle: true}, false, false},
		{"itself paid for", memReaders{lost: paid, bytes: 100, upon: 10, filled: 1, room: 64, idle: true}, true, false},
		{"itself not quite paid for", memReaders{lost: paid - 1, bytes: 100, filled: 1, room: 64, idle: true}, false, false},
		{"written to and small", memReaders{lost: paid, upon: 100, filled: 15, room: 64}, false, true},
		{"written to and not small", memReaders{lost: paid, upon: 100, filled: 16, room: 64}, true, false},
		{"written to, not small, not paid for", memReaders{lost: paid - 1, upon: 100, filled: 16, room: 64}, false, false},
	} {
		if flush, forget := c.m.decide(); flush != c.flush || forget != c.forget {
			t.Errorf("%s: flush %v, forget %v", c.name, flush, forget)
		}
	}
}
