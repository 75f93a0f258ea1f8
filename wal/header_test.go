package wal

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/golden"
)

// fixHeader makes the checksum of a changed header right.
func fixHeader(data []byte) []byte {
	binary.LittleEndian.PutUint64(data[headerSumAt:], xxhash.Sum64(data[:headerSumAt]))
	return data
}

// TestBytesOfALogAreFrozen holds the format: a log written by an earlier
// version must look like this for ever.
func TestBytesOfALogAreFrozen(t *testing.T) {
	f := &memFile{}
	w := NewWriter(f, Header{
		Number: 13, DBID: 0x0D0D0D0D0D0D0D0D, LogID: 0x1122334455667788, LastSeq: 100, Clock: 1700000000000,
		Prev: Predecessor{Number: 12, LogID: 0x8877665544332211, End: 4096, LastSeq: 100},
	})
	must(t, w.Start())
	must(t, w.Append(Frame{First: 101, Count: 2, Clock: 1700000000001}, []byte("hello")))
	must(t, w.Sync())
	must(t, w.Finish(1700000000002))

	var b strings.Builder
	part := func(at int, title string, fields ...any) int {
		fmt.Fprintf(&b, "%s\n", title)
		for i := 0; i < len(fields); i += 2 {
			n := fields[i].(int)
			fmt.Fprintf(&b, "  %4d  %-47s  %s\n", at, fmt.Sprintf("% x", f.data[at:at+min(n, 16)]), fields[i+1])
			at += n
		}
		return at
	}
	head := []any{1, "kind", 7, "sequence", 8, "offset", 8, "log id", 8, "payload length", 8, "clock", 8, "synced", 4, "count", 8, "payload sum", 4, "head sum"}
	at := part(0, "file header", 8, "magic", 4, "version", 4, "zero", 8, "DB id", 8, "log id", 8, "number", 8, "last sequence", 8, "clock",
		8, "predecessor: number", 8, "predecessor: log id", 8, "predecessor: end", 8, "predecessor: last sequence", 1, "flags", 31, "zeros (31)", 8, "checksum")
	at = part(at, "data frame", head...)
	at = part(at, "payload", 5, "hello")
	at = part(at, "trailer", head...)
	if at != len(f.data) {
		t.Errorf("the picture covers %d of %d bytes", at, len(f.data))
	}
	golden.Compare(t, "testdata/log.txt", b.String())
}
