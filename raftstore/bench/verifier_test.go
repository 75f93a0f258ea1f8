package bench

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/metrics"
	"github.com/hashicorp/raft-wal/verifier"

	"github.com/siltstonedb/siltstone/raftstore"
)

// TestTheVerifierOfRaftWALFindsNoFault stores entries through raft-wal's verifier on a
// leader and, read back from there, on a follower: both report that what is read has the
// checksum of what was written.
func TestTheVerifierOfRaftWALFindsNoFault(t *testing.T) {
	reports := make(chan verifier.VerificationReport)
	open := func(name string) *verifier.LogStore {
		s, err := raftstore.OpenLogStore(filepath.Join(t.TempDir(), name), nil)
		if err != nil {
			t.Fatal(err)
		}
		checkpoint := func(l *raft.Log) (bool, error) { return bytes.HasPrefix(l.Data, []byte("checkpoint")), nil }
		v := verifier.NewLogStore(s, checkpoint, func(r verifier.VerificationReport) { reports <- r }, metrics.NewAtomicCollector(verifier.MetricDefinitions))
		t.Cleanup(func() { v.Close() })
		return v
	}
	leader, follower := open("leader"), open("follower")
	for round := range 5 {
		last, _ := leader.LastIndex()
		var logs []*raft.Log
		for i := range uint64(100) {
			logs = append(logs, &raft.Log{Index: last + 1 + i, Term: 3, Data: fmt.Appendf(nil, "%d", i)})
		}
		logs = append(logs, &raft.Log{Index: last + 101, Term: 3, Data: []byte("checkpoint")})
		if err := leader.StoreLogs(logs); err != nil {
			t.Fatal(err)
		}
		wantReport(t, <-reports, last+1)
		for i := last + 1; i <= last+101; i++ {
			l := new(raft.Log)
			if err := leader.GetLog(i, l); err != nil {
				t.Fatal(err)
			}
			if err := follower.StoreLog(l); err != nil {
				t.Fatal(err)
			}
		}
		wantReport(t, <-reports, last+1)
		if round == 2 { // a snapshot
			for _, s := range []raft.LogStore{leader, follower} {
				if err := s.DeleteRange(1, last+50); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func wantReport(t *testing.T, r verifier.VerificationReport, next uint64) {
	t.Helper()
	if r.Err != nil || r.ReadSum != r.ExpectedSum || r.WrittenSum != r.ExpectedSum || r.ReadSum == 0 {
		t.Errorf("%+v", r)
	}
	if want := max(next, 2) - 1; r.Range.End != next+100 || r.Range.Start != want {
		t.Errorf("the report is of %v, want %d to %d", r.Range, want, next+100)
	}
}
