package check

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/sstable"
)

// place is one source of records, as it lies among newer and older ones.
type place struct {
	it      iterator.Iterator
	at      *iterator.Entry
	deletes *rangedel.List
	run     *readstate.Run // nil for a memtable
}

// name says where the place keeps key.
func (p *place) name(key []byte) string {
	if p.run == nil {
		return "a memtable"
	}
	if t := p.run.Find(key); t != nil {
		return base.Filename(base.FileTable, t.Num)
	}
	return "a run"
}

// sources returns every source, newest first.
func (c *checker) sources(keysOnly bool) []place {
	rs := c.View.State
	ps := []place{{it: rs.Mem.NewIter(keysOnly), deletes: rs.Mem.RangeDeletes()}}
	for _, m := range rs.Imms {
		ps = append(ps, place{it: m.NewIter(keysOnly), deletes: m.RangeDeletes()})
	}
	runs := make([]readstate.RunIter, len(rs.Runs))
	for i := range rs.Runs {
		r := &rs.Runs[i]
		ps = append(ps, place{it: runs[i].Init(r, &sstable.Iter{}, sstable.IterOptions{KeysOnly: keysOnly}), run: r})
	}
	return ps
}

// places returns every source with its range tombstones, newest first.
func (c *checker) places() ([]place, error) {
	ps := c.sources(true)
	for i := range ps {
		if ps[i].run == nil {
			continue
		}
		var lists []*rangedel.List
		for _, t := range ps[i].run.Tables {
			if t.RangeDeletes == 0 {
				continue
			}
			rd, err := t.Get()
			if err != nil {
				return ps, err
			}
			lists = append(lists, rd.RangeDeletes())
		}
		ps[i].deletes = rangedel.Merge(lists...)
	}
	return ps, nil
}

// ages checks that of two records of a key the one in the newer place is newer,
// and likewise of a record and a range tombstone over it.
func (c *checker) ages() error {
	ps, err := c.places()
	defer func() {
		for i := range ps {
			ps[i].it.Close()
		}
	}()
	if err != nil {
		return err
	}
	for i := range ps {
		ps[i].at = ps[i].it.First()
	}
	for {
		if err := c.tick(); err != nil {
			return err
		}
		var least []byte
		for i := range ps {
			if e := ps[i].at; e != nil && (least == nil || bytes.Compare(e.Key, least) < 0) {
				least = e.Key
			}
		}
		if least == nil {
			break
		}
		if err := ageOfKey(ps, bytes.Clone(least)); err != nil {
			return err
		}
	}
	var errs []error
	for i := range ps {
		errs = append(errs, ps[i].it.Err())
	}
	return errors.Join(errs...)
}

// ageOfKey steps every place over key and compares their sequences.
func ageOfKey(ps []place, key []byte) error {
	floor, floored := base.SeqMax, -1 // the oldest that newer places say of key, and which
	for i := range ps {
		p := &ps[i]
		newest, oldest, any := base.SeqNum(0), base.SeqMax, false
		see := func(s base.SeqNum) { newest, oldest, any = max(newest, s), min(oldest, s), true }
		if s := p.deletes.Cover(key, base.SeqMax); s > 0 {
			see(s)
			see(p.deletes.Above(key, 0))
		}
		for ; p.at != nil && bytes.Equal(p.at.Key, key); p.at = p.it.Next() {
			see(p.at.Seq)
		}
		if !any {
			continue
		}
		if floored >= 0 && newest >= floor {
			err := fmt.Errorf("key %q: sequence %d is not below %d in the newer %s", key, newest, floor, ps[floored].name(key))
			return base.Corruptf(p.name(key), -1, "%w", err)
		}
		floor, floored = oldest, i
	}
	return nil
}
