package siltstone

import (
	"bytes"
	"fmt"
	"time"

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

// Explanation is how the store comes to its answer about one key. String draws
// it.
type Explanation struct {
	Keyspace string `json:",omitempty"` // empty: the default one
	Key      []byte
	Seq      uint64    // largest sequence number that was visible
	Now      time.Time // on the store's clock
	Sources  []ExplainedSource
	Verdict  ExplainedVerdict
}

// ExplainedSource is a memtable, or the table of a run, that a read may ask.
// Sources are in order of age, newest first: the first that knows the key
// decides.
type ExplainedSource struct {
	Name      string // "memtable", "full memtable 1", "run 3, level 6: 000012.sst"
	Skipped   string // why a read does not search it for the key, or empty
	Decides   bool
	Versions  []ExplainedVersion // newest first, at most 16
	More      bool               // there are older ones
	RangeDels []uint64           // sequence numbers of range deletes over the key, newest first, at most 16
	Covered   int                // by how many range deletes: more than RangeDels if that is full
}

// ExplainedVersion is one record of the key.
type ExplainedVersion struct {
	Seq    uint64 // 0: older than every reader, and the number was dropped
	Delete bool
	Type   string    // "string", "hash", …
	Bytes  int       // of the value; of a collection, of its metadata
	Expiry time.Time // zero: none
	value  []byte
}

// ExplainedVerdict is the answer.
type ExplainedVerdict struct {
	Present bool
	Reason  string // "present", "never written or forgotten", "deleted", "range-deleted" or "expired"
	Source  string // that decides, if one does
	Seq     uint64 // of the record or range delete that decides
	Type    string
	Bytes   int
	Expiry  time.Time // zero: none
	TTL     time.Duration
	// Collection is set if the key holds, or held, a collection.
	Collection *ExplainedCollection
}

// ExplainedCollection is the metadata of a collection.
type ExplainedCollection struct {
	Inline   bool      // its elements are in the metadata
	ID       uint64    // of its element rows; 0 if inline
	Elements uint64    // expired ones that were not removed yet count too
	Bytes    uint64    // of the element rows, about; 0 if inline
	NextDue  time.Time // earliest expiry of an element; zero: none
}

// explainVersions and explainRangeDels bound what is listed of a source.
const (
	explainVersions  = 16
	explainRangeDels = 16
)

// Explain lists the memtables and tables in which key is looked for, with the
// versions that each has, and says which of them decides the answer and why. It also
// searches the tables that a read would skip, so it costs several reads: it is made
// for people. If a table fails, Explain returns the error with the sources before.
func (db *DB) Explain(key []byte) (Explanation, error) { return db.explain(nil, key) }

// ExplainIn is Explain for a key of the keyspace called name. If there is none it is
// ErrNotFound: unlike DB.Keyspace, ExplainIn does not make it.
func (db *DB) ExplainIn(name string, key []byte) (Explanation, error) {
	if err := keyspace.CheckName(name); err != nil {
		return Explanation{}, err
	}
	db.spaces.Changing.Lock()
	ks, err := db.findKeyspace(name)
	db.spaces.Changing.Unlock()
	if err != nil {
		return Explanation{}, err
	}
	return db.explain(ks, key)
}

// Explain explains the store's answer about key, as DB.Explain does.
func (ks *Keyspace) Explain(key []byte) (Explanation, error) {
	db, space := ks.parts()
	return db.explain(space, key)
}

func (db *DB) explain(ks *keyspace.Space, key []byte) (Explanation, error) {
	if err := base.CheckKey(key); err != nil {
		return Explanation{}, err
	}
	if db.unopened() {
		return Explanation{}, ErrClosed
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return Explanation{}, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	seq, now := db.section.Visible(), db.clock.Now()
	if err := ks.ReadableAt(seq); err != nil {
		return Explanation{}, err
	}
	e := Explanation{Key: bytes.Clone(key), Seq: uint64(seq), Now: time.UnixMilli(now).UTC()}
	if ks != nil {
		e.Keyspace = ks.Name
	}
	var err error
	e.Sources, err = explainSources(rs, keyenc.AppendKeyRow(nil, ks.Prefix(), key), seq)
	e.Verdict = judgeSources(e.Sources, e.Now)
	return e, db.states.ReadError(err)
}

// explainSources asks every source about row.
func explainSources(rs *readstate.State, row []byte, seq base.SeqNum) (all []ExplainedSource, err error) {
	mem := func(name string, m *readstate.Mem) {
		s := ExplainedSource{Name: name}
		s.cover(m.RangeDeletes(), row, seq)
		_ = s.read(m.NewIter(false), row, seq) // memory does not fail
		all = append(all, s)
	}
	mem("memtable", rs.Mem)
	for i, m := range rs.Imms {
		mem(fmt.Sprintf("full memtable %d", i+1), m)
	}
	for i, r := range rs.Version.Runs {
		s := ExplainedSource{Name: fmt.Sprintf("run %d, level %d", r.Age, r.Level)}
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

func (s *ExplainedSource) readTable(t *readstate.Table, row []byte, seq base.SeqNum) error {
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
func (s *ExplainedSource) read(it iterator.Iterator, row []byte, seq base.SeqNum) error {
	for e := it.SeekGE(row, seq); e != nil && bytes.Equal(e.Key, row); e = it.Next() {
		if len(s.Versions) == explainVersions {
			s.More = true
			break
		}
		v := ExplainedVersion{Seq: uint64(e.Seq), Delete: e.Attr.Kind() == base.KindDelete, Bytes: len(e.Value), Expiry: timeOf(e.Expiry)}
		if !v.Delete {
			v.Type = record.Type(e.Attr.Type()).String()
			if record.Type(e.Attr.Type()).IsCollection() {
				v.value = bytes.Clone(e.Value)
			}
		}
		s.Versions = append(s.Versions, v)
	}
	return it.Close()
}

// cover lists the newest range tombstones over row up to seq, and counts them all.
func (s *ExplainedSource) cover(l *rangedel.List, row []byte, seq base.SeqNum) {
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
func judgeSources(sources []ExplainedSource, now time.Time) ExplainedVerdict {
	for i := range sources {
		s := &sources[i]
		var cover uint64
		if len(s.RangeDels) > 0 {
			cover = s.RangeDels[0]
		}
		if len(s.Versions) > 0 && s.Versions[0].Seq >= cover {
			s.Decides = true
			return judgeVersion(s.Name, s.Versions[0], now)
		}
		if cover > 0 {
			s.Decides = true
			return ExplainedVerdict{Reason: "range-deleted", Source: s.Name, Seq: cover}
		}
	}
	return ExplainedVerdict{Reason: "never written or forgotten"}
}

// judgeVersion is the verdict if v is the newest version.
func judgeVersion(source string, v ExplainedVersion, now time.Time) ExplainedVerdict {
	d := ExplainedVerdict{Source: source, Seq: v.Seq}
	if v.Delete {
		d.Reason = "deleted"
		return d
	}
	d.Type, d.Bytes, d.Expiry = v.Type, v.Bytes, v.Expiry
	if m, err := record.DecodeMeta(v.value); err == nil {
		d.Collection = &ExplainedCollection{
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
