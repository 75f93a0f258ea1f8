package commitlog

import (
	"slices"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/wal"
)

// Between the retirement of a log and the beginning of the next one a reader who comes too
// late must still be told from where on there is something.
func TestTheNewestRetiredLogIsKeptUntilTheNextBegins(t *testing.T) {
	k := &Kept{Bytes: 1}
	k.began(wal.Header{Number: 1, LastSeq: 10})
	k.Retire(1, 4096)
	if gone := k.Trim(0); len(gone) != 0 || len(k.Logs()) != 1 {
		t.Fatalf("%v are gone, %v are kept", gone, k.Logs())
	}
	k.began(wal.Header{Number: 2, LastSeq: 20, Prev: wal.Predecessor{Number: 1, LastSeq: 20}})
	if gone := k.Trim(0); !slices.Equal(gone, []base.FileNum{1}) {
		t.Fatalf("%v are gone", gone)
	}
	if logs := k.Logs(); len(logs) != 1 || logs[0].Before != 20 || k.Held() != 0 {
		t.Fatalf("%v are kept, %d bytes are held", logs, k.Held())
	}
}

// A log is as old as its last commit, which is older than the beginning of the next one.
func TestALogThatEndsWithinTheAgeIsKept(t *testing.T) {
	k := &Kept{Age: time.Second}
	for n, at := range []int64{0, 2000, 4000} {
		k.began(wal.Header{Number: base.FileNum(n + 1), Clock: at})
	}
	k.Retire(1, 4096)
	k.Retire(2, 4096)
	for _, step := range []struct {
		now  int64
		gone []base.FileNum
	}{{2500, nil}, {3000, nil}, {3001, []base.FileNum{1}}, {5000, nil}, {5001, []base.FileNum{2}}, {1 << 40, nil}} {
		if gone := k.Trim(step.now); !slices.Equal(gone, step.gone) {
			t.Errorf("at %d: %v are gone, want %v", step.now, gone, step.gone)
		}
	}
}

// All who wait for the log to be durable further on wait for one channel.
func TestAHundredFollowersCostACommitNoMoreThanOne(t *testing.T) {
	if invariants.Enabled {
		t.Skip("the locks of this build allocate")
	}
	cost := func(followers int) (allocs float64, syncs int) {
		s := &sink{}
		c := committer{l: newLog(t, s)}
		waiting := make([]<-chan struct{}, followers)
		const runs = 200
		s.data = make([]byte, 0, 1<<20)
		before := s.syncs
		allocs = testing.AllocsPerRun(runs-1, func() {
			for i := range waiting {
				if _, waiting[i], _ = c.l.Front(); waiting[i] != waiting[0] {
					t.Fatalf("follower %d waits for a channel of its own", i)
				}
			}
			if err := c.l.Wait(c.append("x"), Durable); err != nil {
				t.Fatal(err)
			}
			<-waiting[0]
		})
		return allocs, s.syncs - before
	}
	alone, syncs := cost(1)
	if allocs, n := cost(100); allocs > alone || n > syncs {
		t.Errorf("a commit allocates %v times with one follower and %v with a hundred; %d and %d syncs", alone, allocs, syncs, n)
	}
}
