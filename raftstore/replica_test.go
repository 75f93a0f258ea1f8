package raftstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

func TestEveryReplicaRunsWhatAnyWasAsked(t *testing.T) {
	c := newCluster(t, 3, quick)
	c.leader()
	for i, n := range c.nodes {
		value := fmt.Sprint("by ", n.opts.ID)
		if _, err := setCommand.Do(bg, n.store(), setArg{"k", value}); err != nil {
			t.Fatal(err)
		}
		for _, r := range []Read{LinearizableRead, LeasedRead} {
			if got := c.get(c.nodes[(i+1)%3], r, "k"); got != value {
				t.Errorf("%v: %q after %q", r, got, value)
			}
		}
		if done, err := casCommand.Do(bg, n.store(), casArg{"k", "other", "x"}); err != nil || done {
			t.Errorf("%v, %v", done, err)
		}
	}
	c.equal()
	if got := c.get(c.follower(), LocalRead, "k"); got != "by n2" {
		t.Errorf("local: %q", got)
	}
}

func TestTheErrorOfACommandIsItsResultEverywhere(t *testing.T) {
	c := newCluster(t, 3, quick)
	var refused *CommandError
	if _, err := bulkCommand.Do(bg, c.leader().store(), maxProposal); !errors.As(err, &refused) {
		t.Errorf("a result that is too large: %v", err)
	}
	for _, n := range []*node{c.leader(), c.follower()} {
		if _, err := roamCommand.Do(bg, n.store(), roamArg{9}); !errors.As(err, &refused) || refused.Command != "roam" {
			t.Errorf("%v", err)
		}
		if _, err := n.store().Do(bg, "panics", []byte(`"x"`)); !errors.As(err, &refused) || refused.Text != "panic: at the disco of x" {
			t.Errorf("%v", err)
		}
		if _, err := n.store().Do(bg, "roam", []byte(`"x"`)); !errors.As(err, &refused) {
			t.Errorf("a wrong argument: %v", err)
		}
		if _, err := n.store().Do(bg, "none", nil); !errors.Is(err, errUnknownCommand) {
			t.Errorf("an unknown command: %v", err)
		}
		err := n.store().View(bg, LinearizableRead, func(tx *siltstone.Tx) error {
			for _, err := range tx.Keys().All(typed.KeyOptions{}) {
				if err == nil {
					err = errors.New("there is a key")
				}
				return err
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	c.equal()
}

func TestACommandThatComesAgainIsRunOnce(t *testing.T) {
	c := newCluster(t, 3, quick)
	s := c.leader().store()
	for _, n := range c.nodes {
		if length, err := tagCommand.DoOnce(bg, n.store(), [16]byte{1}, tagArg{"l", "x"}); err != nil || length != 1 {
			t.Errorf("%d, %v", length, err)
		}
	}
	if m := s.Metrics(); m.Commands.Repeated != 2 || m.Commands.Applied != 1 {
		t.Errorf("%v", m)
	}
}

func TestTimeAndChanceAreThoseOfTheLog(t *testing.T) {
	c := newCluster(t, 3, often)
	lead := c.leader().store()
	for i := range 250 {
		var refused *CommandError
		if _, err := roamCommand.Do(bg, lead, roamArg{i}); err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if i == 100 {
			for _, n := range c.nodes { // stores whose rows lie differently
				if n.store() != lead {
					if err := n.store().machine.db.Flush(bg); err != nil {
						t.Fatal(err)
					}
					break
				}
			}
		}
	}
	c.equal()
	has := func() (has bool) {
		err := c.nodes[0].store().View(bg, LinearizableRead, func(tx *siltstone.Tx) (err error) {
			has, err = tx.Has([]byte("ttl 99"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return has
	}
	for range 1000 { // only the ticks move the time on
		if !has() {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if has() {
		t.Error("the key does not expire")
	}
	c.equal()
}

func TestAReplicaComesBackAndAnEmptyOneJoinsByASnapshot(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, often)
	c.leader()
	away := c.follower()
	c.stop(away)
	for i := range 300 {
		if _, err := tagCommand.Do(bg, c.leader().store(), tagArg{"l", fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.leader().store().Snapshot(); err != nil {
		t.Fatal(err)
	}
	c.start(away, nil)
	c.join("n3")
	c.equal()
	for _, n := range c.nodes { // and all of them once more, from their disks
		c.stop(n)
	}
	for _, n := range c.nodes {
		c.start(n, nil)
	}
	if n, err := tagCommand.Do(bg, c.nodes[3].store(), tagArg{"l", "last"}); err != nil || n != 301 {
		t.Errorf("%d, %v", n, err)
	}
	c.equal()
	if st := c.nodes[0].store().Metrics(); len(st.Members) != 4 || st.Stopped != "" || st.Leader == "" {
		t.Errorf("%+v", st)
	}
}

func TestLeadershipGoesWhereItIsSentAndAMemberLeaves(t *testing.T) {
	c := newCluster(t, 3, quick)
	before, err := c.leader(), error(nil)
	for range 10 { // raft gives the other one no longer than an election, which is short here
		if err = before.store().TransferLeadership(); err == nil || errors.Is(err, ErrNotLeader) {
			break
		}
		t.Log(err)
	}
	if err != nil && !errors.Is(err, ErrNotLeader) {
		t.Fatal(err)
	}
	if _, err := setCommand.Do(bg, before.store(), setArg{"k", "v"}); err != nil {
		t.Fatal(err)
	}
	if c.leader() == before {
		t.Log("it leads again")
	}
	gone := c.follower()
	if err := gone.store().Remove("n0"); !errors.Is(err, ErrNotLeader) {
		t.Errorf("a follower removes: %v", err)
	}
	if err := c.leader().store().Remove(gone.opts.ID); err != nil {
		t.Fatal(err)
	}
	if st := c.leader().store().Metrics(); len(st.Members) != 2 {
		t.Errorf("%+v", st.Members)
	}
}

func TestACommandWithoutALeaderIsNotApplied(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, quick)
	lead := c.leader()
	for _, n := range c.nodes {
		if n != lead {
			c.stop(n)
		}
	}
	ctx, cancel := context.WithTimeout(bg, 2*time.Second)
	defer cancel()
	if _, err := setCommand.Do(ctx, lead.store(), setArg{"k", "v"}); !errors.Is(err, ErrNoLeader) && !errors.Is(err, ErrIndeterminate) {
		t.Errorf("%v", err)
	}
	if err := lead.store().View(ctx, LinearizableRead, func(*siltstone.Tx) error { return nil }); !errors.Is(err, ErrNoLeader) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := lead.store().View(bg, LocalRead, func(*siltstone.Tx) error { return nil }); err != nil {
		t.Errorf("a local read needs nobody: %v", err)
	}
}
