package model

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// wanted is an operation, and how often it is wanted.
type wanted struct {
	times int
	do    func(*run, draw)
}

// operations is what a tape can ask for, each as often as it is wanted;
// keyspaceOperations the same in a run with named keyspaces.
var (
	operations         = list(allOperations)
	keyspaceOperations = list(append([]wanted{{1, opDrop}, {1, opDropped}}, allOperations...))
)

var allOperations = []wanted{
	{24, opWrite}, {6, opBatch}, {10, opRead}, {5, opScan}, {1, opRefused},
	{2, opSnapshot}, {2, opCloseSnapshot}, {5, opReadSnapshot},
	{4, opIter}, {14, opMove},
	{3, opBegin}, {12, opTx}, {3, opFinish}, {2, opUpdate}, {1, opView},
	{4, opClock}, {3, opFlush}, {2, opCompact}, {6, opStep}, {1, opSync},
	{1, opReopen}, {1, opCrash}, {1, opCheck},
}

func list(of []wanted) (all []func(*run, draw)) {
	for _, o := range of {
		for range o.times {
			all = append(all, o.do)
		}
	}
	return all
}

func opClock(r *run, d draw) {
	by := int64(1) << d.IntN(15)
	r.say("clock advances by %d ms", by)
	r.now.Add(by)
}

func opFlush(r *run, d draw) {
	r.say("flush")
	r.expect(r.db.Flush(context.Background()), nil, "Flush")
	r.reached(siltstone.SyncDurability)
}

func opCompact(r *run, d draw) {
	b, space := d.bounds(), d.space()
	r.say("compact %.24q..%.24q %v in %d", b.Lower, b.Upper, b.Bounded, space)
	r.expect(r.store(space).Compact(context.Background(), b.public()), nil, "Compact")
	r.reached(siltstone.SyncDurability)
}

func opStep(r *run, d draw) {
	if r.Step != nil {
		r.say("step")
		r.expect(r.Step(r.db), nil, "step")
	}
}

func opSync(r *run, d draw) {
	r.say("sync")
	r.expect(r.db.Sync(), nil, "Sync")
	r.reached(siltstone.SyncDurability)
}

func opCheck(r *run, d draw) {
	if d.one(3) {
		r.say("check")
		r.expect(r.db.Check(context.Background()), nil, "Check")
	}
}

func opReopen(r *run, d draw) {
	if !d.one(2) {
		return
	}
	r.say("reopen")
	r.release()
	r.expect(r.db.Close(), nil, "Close")
	r.reached(siltstone.SyncDurability)
	r.open()
	if r.err == nil {
		r.compare(r.views(), "after reopening")
	}
}

// opCrash cuts the power, or ends the process, and opens what is left: one of
// the versions since the last durable one.
func opCrash(r *run, d draw) {
	if !d.one(2) {
		return
	}
	profile := []vfstest.Profile{vfstest.P0, vfstest.P1, vfstest.P3}[d.IntN(3)]
	r.say("crash %v", profile)
	r.release()
	r.disk.CutAt(r.disk.Ops())
	_ = r.db.Close() // the dead process
	r.disk = r.disk.Image(profile, rand.New(rand.NewPCG(uint64(d.Uint32()), 1)))
	if r.open(); r.err != nil {
		return
	}
	least := 0
	if profile == vfstest.P0 {
		least = r.written
	}
	r.recovered(least)
}

// recovered finds the version that survived, the newest first, and goes on from
// it.
func (r *run) recovered(least int) {
	var found [mostSpaces]map[string]Row
	for space := range r.Keyspaces + 1 {
		found[space] = map[string]Row{}
		for kv, err := range r.store(space).Scan(siltstone.Range{}) {
			if err != nil {
				r.fail("after a crash: %v", err)
				return
			}
			row := Row{Value: append([]byte{}, kv.Value...)}
			if kv.Type == typed.TypeHash {
				row.Fields = map[string]string{}
			}
			found[space][string(kv.Key)] = row
		}
	}
	reason := ""
	for i := len(r.versions) - 1; i >= least; i-- {
		reason = ""
		for space := 0; space <= r.Keyspaces && reason == ""; space++ {
			reason = r.tells(r.store(space), View{r.versions[i][space], r.now.Load()}, found[space])
		}
		if reason == "" {
			r.say("version %d of %d survived", i, len(r.versions))
			r.versions, r.written = r.versions[i:i+1], 0
			r.compare(r.views(), "after a crash")
			return
		}
	}
	r.fail("after a crash: no version of %d survived; the last durable one differs: %s", len(r.versions)-least, reason)
}

// tells says how found differs from the view, or nothing.
func (r *run) tells(from reader, v View, found map[string]Row) string {
	n := 0
	for want := range v.all(Bounds{}, false) {
		n++
		got, ok := found[want.key]
		switch {
		case !ok:
			return fmt.Sprintf("key %.24q is missing", want.key)
		case (want.row.Fields == nil) != (got.Fields == nil):
			return fmt.Sprintf("key %.24q has another type", want.key)
		case want.row.Fields == nil && string(got.Value) != string(want.row.Value):
			return fmt.Sprintf("key %.24q has %d bytes, not %d", want.key, len(got.Value), len(want.row.Value))
		}
		ttl, err := from.TTL([]byte(want.key))
		if was := r.err; was == nil {
			if r.checkTTL(want.key, ttl, err, v); r.err != nil {
				err, r.err = r.err, nil
				return err.Error()
			}
		}
		if want.row.Fields != nil {
			if n, err := from.Hash(want.key).Len(); err != nil || int(n) != len(want.row.Fields) {
				return fmt.Sprintf("hash %.24q has %d fields, %v", want.key, n, err)
			}
		}
	}
	if n != len(found) {
		return fmt.Sprintf("%d keys, not %d", len(found), n)
	}
	return ""
}
