package fuzz

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/feed"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// feedFrames are payloads of a store that keeps changes.
func feedFrames() [][]byte {
	put := func(dst []byte, typ record.Type, row string, value []byte) []byte {
		return record.AppendOp(dst, record.Op{Attr: base.MakeAttr(base.KindPut, uint8(typ), false), Key: []byte(row), Value: value})
	}
	gone := func(dst []byte, row string) []byte {
		return record.AppendOp(dst, record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: []byte(row)})
	}
	row := func(tag byte, rest string) string { return string(keyenc.AppendElementRow(nil, nil, 7, tag, rest)) }
	owner := record.NoteItem{Kind: record.NoteOwner, ID: 7, Type: record.TypeHash, Row: []byte("\x01h")}.Append(nil)
	inline := record.AppendMeta(nil, record.Meta{Encoding: record.EncodingInline, Count: 1, Body: record.AppendInline(nil, record.TypeHash, []byte("f"), []byte("v"))})
	rows := record.AppendMeta(nil, record.Meta{Encoding: record.EncodingRows, ID: 7, Count: 1})
	was := record.NoteItem{Kind: record.NoteWas, Type: record.TypeHash, Row: []byte("\x01h"), Expiry: 5, Body: record.AppendInline(nil, record.TypeHash, []byte("g"), nil)}.Append(nil)
	space := record.NoteItem{Kind: record.NoteKeyspace, Number: 3, Name: []byte("space")}.Append(nil)
	expired := record.NoteItem{Kind: record.NoteExpired, Row: []byte("\x01h")}.Append(nil)
	due := string(keyenc.AppendDueRow(nil, nil, 7, 1, "f"))
	return [][]byte{
		put(record.AppendNote(nil), record.TypeString, "\x01k", []byte("v")),
		put(put(record.AppendNote(nil, space), record.TypeString, "\x10\x00\x00\x00\x03\x01k", []byte("v")), 0, "\x00kname", []byte{0x10, 0, 0, 0, 4}),
		put(record.AppendNote(nil, was), record.TypeHash, "\x01h", inline),
		gone(gone(put(record.AppendNote(nil, owner), 0, row(keyenc.TagElement, "f"), []byte("v")), due), row(keyenc.TagElement, "f")),
		put(put(gone(record.AppendNote(nil, owner), "\x01h"), record.TypeHash, "\x01i", rows), 0, row(keyenc.TagOwner, ""), []byte("\x01i")),
		put(put(put(record.AppendNote(nil), 0, row(keyenc.TagOwner, ""), []byte("\x01h")), 0, row(keyenc.TagElement, "f"), nil), record.TypeSet, "\x01h", rows),
		gone(record.AppendNote(nil, expired), "\x01h"),
		record.AppendOp(record.AppendNote(nil, owner), record.Op{
			Attr: base.MakeAttr(base.KindRangeDelete, 0, false),
			Key:  keyenc.AppendItemRow(nil, nil, 7, 1), Value: keyenc.AppendItemRow(nil, nil, 7, 9),
		}),
	}
}

// FuzzChanges decodes any bytes as the payload of a log frame: they are changes of which
// each commit's last one says so, or damage.
func FuzzChanges(f *testing.F) {
	for _, payload := range feedFrames() {
		for count := range byte(4) {
			f.Add(payload, count)
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, count byte) {
		last := true
		feed.Frame(wal.Frame{First: 1, Count: uint32(count) + 1, Clock: 10}, payload, func(c changes.Change, err error) bool {
			if err != nil {
				if !errors.Is(err, base.ErrCorruption) {
					t.Fatalf("%v is no damage", err)
				}
				last = true
				return false
			}
			last = c.Last
			return true
		})
		if !last {
			t.Error("the last change does not say so")
		}
	})
}

// FuzzPosition reads positions: what is one has the same text and bytes again.
func FuzzPosition(f *testing.F) {
	f.Add("start", []byte{1})
	f.Add("00000000000000ab-12-0123abcd", make([]byte, 21))
	f.Fuzz(func(t *testing.T, text string, binary []byte) {
		if p, err := changes.ParsePosition(text); err == nil && p.String() != text {
			t.Errorf("%q is read as %v", text, p)
		}
		var p changes.Position
		if p.UnmarshalBinary(binary) != nil {
			return
		}
		if again, _ := p.MarshalBinary(); string(again) != string(binary) {
			t.Errorf("%x is written as %x", binary, again)
		}
		if again, err := changes.ParsePosition(p.String()); err != nil || again != p {
			t.Errorf("%v is read as %v: %v", p, again, err)
		}
	})
}

// replicaOf returns a replica in memory of a store that has some keys, and that store's id.
func replicaOf(f *testing.F) (*siltstone.DB, uint64) {
	ctx, mem := context.Background(), vfs.NewMem()
	db, err := siltstone.Open("db", &siltstone.Options{FS: mem})
	if err != nil {
		f.Fatal(err)
	}
	id := db.ID()
	var b bytes.Buffer
	_, err = db.Hash("h").Set("f", []byte("v"))
	_, err1 := db.Backup(ctx, &b, nil)
	_, err2 := siltstone.Restore(ctx, "copy", &siltstone.Options{FS: mem}, &b)
	if err := errors.Join(err, err1, err2, db.Close()); err != nil {
		f.Fatal(err)
	}
	db, err = siltstone.OpenReplica("copy", &siltstone.Options{FS: mem, Durability: siltstone.BufferedDurability})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	return db, id
}

// FuzzReplay has a replica replay any bytes as a commit: it refuses them as damage, or it
// has the commit. The byte form is read as it was written.
func FuzzReplay(f *testing.F) {
	for _, payload := range feedFrames() {
		f.Add(payload, uint16(3))
	}
	db, id := replicaOf(f)
	f.Fuzz(func(t *testing.T, body []byte, ahead uint16) {
		_, at := db.Position().Parts()
		c := changes.Commit{Position: changes.NewPosition(id, at+uint64(ahead)+1), Time: time.UnixMilli(1), Body: body}
		b, err := c.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		read, rest, err := changes.ReadCommit(b)
		if err != nil || len(rest) > 0 || read.Position != c.Position || !bytes.Equal(read.Body, body) {
			t.Fatalf("%+v, %v", read, err)
		}
		switch err := db.Replay(read); {
		case err == nil && db.Position() != c.Position:
			t.Fatalf("replayed %v, and is at %v", c.Position, db.Position())
		case err != nil && !errors.Is(err, base.ErrCorruption) && !errors.Is(err, siltstone.ErrBadOption):
			t.Fatal(err)
		}
	})
}

// FuzzCommit reads any bytes as a commit: they are one, and are written so, or damage.
func FuzzCommit(f *testing.F) {
	c := changes.Commit{Position: changes.NewPosition(7, 9), Time: time.UnixMilli(1_800_000_000_000), Body: []byte("\x06\x00body")}
	b, err := c.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(append(b, b...))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, rest, err := changes.ReadCommit(b)
		if err != nil {
			if !errors.Is(err, base.ErrCorruption) {
				t.Fatalf("%v is no damage", err)
			}
			return
		}
		again, err := c.MarshalBinary()
		if err != nil || !bytes.Equal(append(again, rest...), b) {
			t.Fatalf("%x is written as %x, %v", b, again, err)
		}
	})
}
