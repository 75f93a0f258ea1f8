package siltstone

import (
	"errors"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestCheckReadsCollectionsInTheirMetadata(t *testing.T) {
	one, two := string(keyenc.AppendScore(nil, 1)), string(keyenc.AppendScore(nil, 2))
	body := func(typ record.Type, elements ...string) (b []byte) {
		for _, e := range elements {
			b = record.AppendInline(b, typ, []byte(e), []byte(e))
		}
		return b
	}
	for name, c := range map[string]struct {
		typ   record.Type
		count uint64
		due   int64
		body  []byte
		words string // empty: no fault
	}{
		"a hash":               {record.TypeHash, 2, 0, body(record.TypeHash, "a", "b"), ""},
		"a sorted set":         {record.TypeZSet, 2, 0, body(record.TypeZSet, one+"b", two+"a"), ""},
		"a list":               {record.TypeList, 2, 0, body(record.TypeList, "b", "a"), ""},
		"a field too many":     {record.TypeHash, 1, 0, body(record.TypeHash, "a", "b"), "counts 1 elements"},
		"a member is missing":  {record.TypeSet, 3, 0, body(record.TypeSet, "a", "b"), "counts 3 elements"},
		"a wrong order":        {record.TypeSet, 2, 0, body(record.TypeSet, "b", "a"), "malformed"},
		"a field twice":        {record.TypeHash, 2, 0, body(record.TypeHash, "a", "a"), "malformed"},
		"a body cut short":     {record.TypeList, 2, 0, body(record.TypeList, "a", "bcd")[:4], "malformed"},
		"a member twice":       {record.TypeZSet, 2, 0, body(record.TypeZSet, one+"a", two+"a"), "twice"},
		"a score that is none": {record.TypeZSet, 1, 0, body(record.TypeZSet, strings.Repeat("\xff", 8)+"a"), "score that is none"},
		"no score":             {record.TypeZSet, 1, 0, body(record.TypeZSet, "1234567"), "malformed"},
		"a deadline":           {record.TypeSet, 1, 5, body(record.TypeSet, "a"), "deadlines"},
	} {
		t.Run(name, func(t *testing.T) {
			db := checkable(t, vfstest.NewDisk(7))
			value := record.AppendMeta(nil, record.Meta{Encoding: record.EncodingInline, Count: c.count, NextDue: c.due, Body: c.body})
			commitRows(t, db, record.Op{
				Attr: base.MakeAttr(base.KindPut, uint8(c.typ), false), Key: keyenc.AppendNameRow(nil, nil, "inline"), Value: value,
			})
			err := db.Check(bg)
			if c.words == "" && err != nil || c.words != "" && (!errors.Is(err, ErrCorruption) || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "inline")) {
				t.Errorf("Check: %v\nwant it to say %q", err, c.words)
			}
			mustClose(t, db)
		})
	}
}
