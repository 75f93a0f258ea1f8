package background

import "testing"

func TestGarbageIsTheStoresPartOfWhatIsNotLive(t *testing.T) {
	const MB = 1 << 20
	for _, c := range []struct {
		name                              string
		inUse, held, beside, known, wants int64
	}{
		{"a process that is all store", 80 * MB, 50 * MB, 0, 0, 30 * MB},
		{"nothing is garbage", 50 * MB, 50 * MB, 0, 0, 0},
		{"half of what is live is the store's", 100 * MB, 30 * MB, 30 * MB, 0, 20 * MB},
		{"the store holds next to nothing", 1000 * MB, 0, 500 * MB, 0, 0},
		{"more is known", 100 * MB, 30 * MB, 30 * MB, 35 * MB, 35 * MB},
		{"more is known than there is", 100 * MB, 30 * MB, 30 * MB, 90 * MB, 40 * MB},
		{"more is held than is in use", 10 * MB, 20 * MB, 5 * MB, 3 * MB, 0},
		{"an empty process", 0, 0, 0, 0, 0},
	} {
		if got := (heap{inUse: c.inUse}).garbage(c.held, c.beside, c.known); got != c.wants {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.wants)
		}
	}
}

// Of three collections one figure may be far off: the store has just let go of much.
func TestOneFigureThatIsFarOffDoesNotCount(t *testing.T) {
	w := waste{beside: [3]int64{3, 900, 5}}
	if got := w.besideLocked(); got != 5 || w.beside != [3]int64{3, 900, 5} {
		t.Errorf("%d of %v", got, w.beside)
	}
}
