package commitlog

import (
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
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
