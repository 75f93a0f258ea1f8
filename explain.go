package siltstone

import (
	"bytes"
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone/explain"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/quantity"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/sstable"
)

// explainVersions and explainRangeDels bound what is listed of a source.
const (
	explainVersions  = 16
	explainRangeDels = 16
)

// Explain shows, source by source, why a read of key returns what it does: the memtables
// and tables that a read may search, the versions of key in each, and the one that decides.
// Explain also searches the tables that a read would skip, so it costs several reads. If
// a table fails, Explain returns the error and the sources before that table.
func (db *DB) Explain(key []byte) (explain.Explanation, error) { return db.explain(nil, key) }

// ExplainIn is Explain for a key of the keyspace called name. If there is no such
// keyspace, the error is ErrNotFound.
func (db *DB) ExplainIn(name string, key []byte) (explain.Explanation, error) {
	if err := keyspace.CheckName(name); err != nil {
		return explain.Explanation{}, err
	}
	if db.unopened() {
		return explain.Explanation{}, ErrClosed
	}
	db.spaces.Changing.Lock()
	ks, err := db.findKeyspace(name)
	db.spaces.Changing.Unlock()
	if err != nil {
		return explain.Explanation{}, err
	}
	return db.explain(ks, key)
}

// Explain explains the store's answer about key, as DB.Explain does.
func (ks *Keyspace) Explain(key []byte) (explain.Explanation, error) {
	db, space := ks.parts()
	return db.explain(space, key)
}

func (db *DB) explain(ks *keyspace.Space, key []byte) (explain.Explanation, error) {
	if err := base.CheckKey(key); err != nil {
		return explain.Explanation{}, err
	}
	if db.unopened() {
		return explain.Explanation{}, ErrClosed
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return explain.Explanation{}, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	seq, now := db.section.Visible(), db.clock.Now()
	if err := ks.ReadableAt(seq); err != nil {
		return explain.Explanation{}, err
	}
	e := explain.Explanation{Key: bytes.Clone(key), Seq: uint64(seq), Now: time.UnixMilli(now).UTC()}
	if ks != nil {
		e.Keyspace = ks.Name
	}
	all, err := examineSources(rs, keyenc.AppendKeyRow(nil, ks.Prefix(), key), seq)
	e.Verdict = judgeSources(all, e.Now)
	for _, s := range all {
		e.Sources = append(e.Sources, s.Source)
	}
	return e, db.states.ReadError(err)
}

// examined is a source and, if the newest version that it has of the key is of a
// collection, that version's metadata.
type examined struct {
	explain.Source
	meta []byte
}

// examineSources asks every source about row.
func examineSources(rs *readstate.State, row []byte, seq base.SeqNum) (all []examined, err error) {
	mem := func(name string, m *readstate.Mem) {
		s := examined{Source: explain.Source{Name: name}}
		s.cover(m.RangeDeletes(), row, seq)
		_ = s.read(m.NewIter(false), row, seq) // memory does not fail
		all = append(all, s)
	}
	mem("memtable", rs.Mem)
	for i, m := range rs.Imms {
		mem(fmt.Sprintf("full memtable %d", i+1), m)
	}
	for i, r := range rs.Version.Runs {
		s := examined{Source: explain.Source{Name: fmt.Sprintf("run %d, level %d", r.Age, r.Level)}}
		t := rs.Runs[i].Find(row)
		if t == nil {
			s.Skipped = fmt.Sprintf("none of %s has it within its bounds", quantity.Count(len(r.Tables), "table"))
			all = append(all, s)
			continue
		}
		s.Name += ": " + base.Filename(base.FileTable, t.Num)
		if err := s.readTable(t, row, seq); err != nil {
			return all, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (s *examined) readTable(t *readstate.Table, row []byte, seq base.SeqNum) error {
	r, err := t.Get()
	if err != nil {
		return err
	}
	s.cover(r.RangeDeletes(), row, seq)
	if !r.MayContain(base.HashRow(row)) {
		s.Skipped = "the filter rules it out"
	}
	return s.read(r.NewIter(sstable.IterOptions{}), row, seq)
}

// read lists the versions of row that it, which it closes, has up to seq.
func (s *examined) read(it iterator.Iterator, row []byte, seq base.SeqNum) error {
	for e := it.SeekGE(row, seq); e != nil && bytes.Equal(e.Key, row); e = it.Next() {
		if len(s.Versions) == explainVersions {
			s.More = true
			break
		}
		v := explain.Version{Seq: uint64(e.Seq), Delete: e.Attr.Kind() == base.KindDelete, Bytes: len(e.Value), Expiry: timeOf(e.Expiry)}
		if !v.Delete {
			typ := record.Type(e.Attr.Type())
			v.Type = typ.String()
			if typ.IsCollection() && len(s.Versions) == 0 {
				s.meta = bytes.Clone(e.Value)
			}
		}
		s.Versions = append(s.Versions, v)
	}
	return it.Close()
}

// cover lists the newest range tombstones over row up to seq, and counts them all.
func (s *examined) cover(l *rangedel.List, row []byte, seq base.SeqNum) {
	all := l.Covering(row, seq)
	s.Covered = len(all)
	for _, d := range all[:min(len(all), explainRangeDels)] {
		s.RangeDels = append(s.RangeDels, uint64(d))
	}
}

// timeOf is a time of a record; 0 is none.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// judgeSources decides as a read does, and marks the source that decides. It is a
// pure function of the sources.
func judgeSources(sources []examined, now time.Time) explain.Verdict {
	for i := range sources {
		s := &sources[i]
		var cover uint64
		if len(s.RangeDels) > 0 {
			cover = s.RangeDels[0]
		}
		if len(s.Versions) > 0 && s.Versions[0].Seq >= cover {
			s.Decides = true
			return s.judgeNewest(now)
		}
		if cover > 0 {
			s.Decides = true
			return explain.Verdict{Reason: "range-deleted", Source: s.Name, Seq: cover}
		}
	}
	return explain.Verdict{Reason: "never written or forgotten"}
}

// judgeNewest is the verdict if the newest version of s decides.
func (s *examined) judgeNewest(now time.Time) explain.Verdict {
	v := s.Versions[0]
	d := explain.Verdict{Source: s.Name, Seq: v.Seq}
	if v.Delete {
		d.Reason = "deleted"
		return d
	}
	d.Type, d.Bytes, d.Expiry = v.Type, v.Bytes, v.Expiry
	if m, err := record.DecodeMeta(s.meta); err == nil {
		d.Collection = &explain.Collection{
			Inline: m.Encoding == record.EncodingInline, ID: m.ID, Elements: m.Count, Bytes: m.Bytes, NextDue: timeOf(m.NextDue),
		}
	}
	switch {
	case v.Expiry.IsZero():
		d.Present, d.Reason, d.TTL = true, "present", NoTTL
	case v.Expiry.After(now):
		d.Present, d.Reason, d.TTL = true, "present", v.Expiry.Sub(now)
	default:
		d.Reason = "expired"
	}
	return d
}
