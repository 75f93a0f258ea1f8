package wal

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

// parseLogs reads a picture of a directory's logs, one word each:
//
//	7_            log 7 without a header
//	7:900.        log 7, no predecessor, ends at 900 with a trailer
//	7<6@800:900~  log 7, says that 6 ended at 800, ends at 900 without one
//
// Sequences follow the ends: a log that ends at 900 has last sequence 900.
func parseLogs(t *testing.T, picture string) []Found {
	t.Helper()
	var logs []Found
	for _, word := range strings.Fields(picture) {
		var f Found
		end := word[len(word)-1]
		word = word[:len(word)-1]
		if end == '_' {
			_, err := fmt.Sscanf(word, "%d", &f.Number)
			must(t, err)
			logs = append(logs, f)
			continue
		}
		var p Predecessor
		var err error
		if strings.Contains(word, "<") {
			_, err = fmt.Sscanf(word, "%d<%d@%d:%d", &f.Number, &p.Number, &p.End, &f.End)
			p.LogID, p.LastSeq = uint64(p.Number)*1000, base.SeqNum(p.End)
		} else {
			_, err = fmt.Sscanf(word, "%d:%d", &f.Number, &f.End)
		}
		must(t, err)
		f.HasHeader, f.Complete, f.LastSeq = true, end == '.', base.SeqNum(f.End)
		f.Header = Header{Number: f.Number, DBID: 5, LogID: uint64(f.Number) * 1000, Prev: p, LastSeq: p.LastSeq}
		logs = append(logs, f)
	}
	return logs
}

func TestChainOfLogs(t *testing.T) {
	for _, c := range []struct {
		name    string
		minLog  base.FileNum
		picture string
		want    string // live / prepared / retired, or the file to blame
	}{
		{"nothing at all", 4, "", "[] [] []"},
		{"one log", 4, "4:900~", "[4] [] []"},
		{"power cut with a prepared log", 4, "4:900~ 5_", "[4] [5] []"},
		{"power cut between trailer and header", 4, "4:900. 5_", "[4] [5] []"},
		{"two logs", 4, "4:900. 5<4@900:300~", "[4 5] [] []"},
		{"numbers may be skipped", 4, "5:900. 9<5@900:300~", "[5 9] [] []"},
		{"prepared file between", 4, "4:900. 5_ 6<4@900:300~", "[4 6] [5] []"},
		{"three logs", 4, "4:900. 5<4@900:300. 6<5@300:200~ 7_", "[4 5 6] [7] []"},
		{"predecessor retired and gone", 5, "5<4@900:300~", "[5] [] []"},
		{"predecessor retired and still there", 5, "4:900. 5<4@900:300~", "[5] [] [4]"},
		{"retired logs may be torn", 5, "3:100~ 4_ 5:300~", "[5] [] [3 4]"},
		{"first log after recovery", 7, "5:900. 6<5@900:300~ 7:200~", "[7] [] [5 6]"},
		{"second cut in recovery", 4, "4:900. 5<4@900:300~ 6_", "[4 5] [6] []"},

		{"finished log without the file of a successor", 4, "4:900.", "000004.wal"},
		{"newest log is missing", 4, "4:900. 5<4@900:300.", "000005.wal"},
		{"torn log has a successor", 4, "4:900~ 5<4@1000:300~", "000004.wal"},
		{"trailer is missing though the end fits", 4, "4:900~ 5<4@900:300~", "000004.wal"},
		{"log ends short of what its successor says", 4, "4:900. 5<4@1000:300~", "000004.wal"},
		{"log ends behind what its successor says", 4, "4:900. 5<4@800:300~", "000004.wal"},
		{"log in the middle is missing", 4, "4:900. 6<5@300:200~", "000005.wal"},
		{"log in the middle lost its header", 4, "4:900. 5_ 6<5@300:200~", "000005.wal"},
		{"first log is missing", 4, "5<4@900:300~", "000004.wal"},
		{"first log lost its header", 4, "4_ 5<4@900:300~", "000004.wal"},
		{"log without predecessor behind a live one", 4, "4:900. 5:300~", "000005.wal"},
		{"two successors", 4, "4:900. 5<4@900:300. 6<4@900:300~", "000006.wal"},
		{"older log comes back below a live chain", 4, "4:100~ 6<3@900:300~", "000006.wal"},
	} {
		chain, err := CheckChain(parseLogs(t, c.picture), c.minLog, 5)
		got := fmt.Sprint(nums(chain.Live), nums(chain.Prepared), nums(chain.Retired))
		var bad *base.CorruptionError
		if errors.As(err, &bad) {
			got = bad.File
		} else if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %s gives %s, want %s (%v)", c.name, c.picture, got, c.want, err)
		}
	}
}

func nums(list []base.FileNum) []int {
	out := []int{}
	for _, n := range list {
		out = append(out, int(n))
	}
	return out
}

func TestForeignLogsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Found){
		"another store":  func(f *Found) { f.Header.DBID++ },
		"another number": func(f *Found) { f.Header.Number++ },
		"another log id": func(f *Found) { f.Header.LogID++ },
		"another end":    func(f *Found) { f.LastSeq++ },
	} {
		logs := parseLogs(t, "4:900. 5<4@900:300~")
		change(&logs[0])
		if _, err := CheckChain(logs, 4, 5); !errors.Is(err, base.ErrCorruption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStaleHeaderInAPreparedFileIsNoLog(t *testing.T) {
	logs := parseLogs(t, "4:900. 9:900~")
	logs[1].Header = parseLogs(t, "3<2@500:900.")[0].Header // of a log removed long ago
	logs[1].End = HeaderSize
	chain, err := CheckChain(logs, 4, 5)
	if got := fmt.Sprint(nums(chain.Live), nums(chain.Prepared)); err != nil || got != "[4] [9]" {
		t.Errorf("%s, %v", got, err)
	}
	logs[1].End = HeaderSize + FrameHeaderSize + 5
	if _, err := CheckChain(logs, 4, 5); !errors.Is(err, base.ErrCorruption) {
		t.Errorf("with a frame behind it: %v", err)
	}
}

func TestLogsMustBeSorted(t *testing.T) {
	if _, err := CheckChain(parseLogs(t, "5:300~ 4:900."), 4, 5); err == nil || errors.Is(err, base.ErrCorruption) {
		t.Errorf("got %v", err)
	}
}

// TestWrittenLogsMakeAChain runs two real logs through writer, reader and
// verdict.
func TestWrittenLogsMakeAChain(t *testing.T) {
	var logs []Found
	header := testHeader
	for range 3 {
		f := &memFile{}
		w := NewWriter(f, header)
		must(t, w.Start())
		must(t, w.Append(Frame{First: w.LastSeq() + 1, Count: 7}, []byte("payload")))
		must(t, w.Finish(1))
		must(t, w.Sync())
		_, r, _ := countFrames(f.data)
		logs = append(logs, r.Found(header.Number))
		prev, ok := w.Successor()
		if !ok {
			t.Fatal("no successor")
		}
		header = Header{Number: header.Number + 1, DBID: header.DBID, LogID: header.LogID + 1, Prev: prev, LastSeq: prev.LastSeq}
	}
	logs = append(logs, Found{Number: header.Number}) // the file of the last one's successor
	chain, err := CheckChain(logs, testHeader.Number, testHeader.DBID)
	if err != nil || len(chain.Live) != 3 {
		t.Errorf("%+v, %v", chain, err)
	}
	logs[1].End -= FrameHeaderSize
	if _, err := CheckChain(logs, testHeader.Number, testHeader.DBID); !errors.Is(err, base.ErrCorruption) {
		t.Errorf("shortened log in the middle: %v", err)
	}
}
