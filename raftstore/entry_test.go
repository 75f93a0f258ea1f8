package raftstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
)

var entries = []raft.Log{
	{Index: 1},
	{Index: 2, Term: 1, Type: raft.LogNoop},
	{Index: math.MaxUint64, Term: math.MaxUint64, Type: 255, Data: []byte("data")},
	{Index: 4, Term: 300, Type: raft.LogCommand, Data: []byte{0}, Extensions: []byte("more")},
	{Index: 5, Term: 1, Type: raft.LogConfiguration, Extensions: bytes.Repeat([]byte("x"), 300), AppendedAt: time.Unix(1_700_000_000, 999_999_999)},
	{Index: 6, Term: 1, AppendedAt: time.Unix(-1, 1)},
}

func TestAnEntryComesBackAsItWas(t *testing.T) {
	for _, want := range entries {
		var got raft.Log
		if err := decodeEntry(&got, want.Index, appendEntry([]byte("before"), &want)[len("before"):]); err != nil {
			t.Errorf("%+v: %v", want, err)
		} else if !got.AppendedAt.Equal(want.AppendedAt) {
			t.Errorf("the time %v came back as %v", want.AppendedAt, got.AppendedAt)
		} else if got.AppendedAt = want.AppendedAt; !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v", want, got)
		}
	}
}

func TestEveryDamagedByteOfAnEntryIsFound(t *testing.T) {
	for _, e := range entries {
		good := appendEntry(nil, &e)
		for i := range good {
			for bit := range 8 {
				bad := bytes.Clone(good)
				bad[i] ^= 1 << bit
				wantDamage(t, e.Index, bad)
			}
			wantDamage(t, e.Index, good[:i])
		}
		wantDamage(t, e.Index, append(bytes.Clone(good), 0))
		wantDamage(t, e.Index+1, good)
	}
}

func wantDamage(t *testing.T, index uint64, value []byte) {
	t.Helper()
	var l raft.Log
	if err := decodeEntry(&l, index, value); !errors.Is(err, siltstone.ErrCorruption) {
		t.Errorf("entry %d of %x: %+v, %v", index, value, l, err)
	}
}

// FuzzEntry gives the decoder random bytes, with a checksum that is right, so that they
// reach what stands behind it. What it takes, it has decoded whole.
func FuzzEntry(f *testing.F) {
	for _, e := range entries {
		f.Add(e.Index, appendEntry(nil, &e))
	}
	f.Add(uint64(7), []byte{1, 0, 0, 0, 0, 3, 0, 1, 2, 200, 200, 1})
	f.Fuzz(func(t *testing.T, index uint64, value []byte) {
		if len(value) >= entryHead {
			binary.LittleEndian.PutUint32(value[1:], entrySum(index, value[5:]))
		}
		var l raft.Log
		if err := decodeEntry(&l, index, value); err != nil {
			if !errors.Is(err, siltstone.ErrCorruption) {
				t.Fatal(err)
			}
			return
		}
		var again raft.Log
		if err := decodeEntry(&again, index, appendEntry(nil, &l)); err != nil {
			t.Fatalf("%x decodes to %+v, which does not decode: %v", value, l, err)
		}
		if !again.AppendedAt.Equal(l.AppendedAt) {
			t.Fatalf("the time %v came back as %v", l.AppendedAt, again.AppendedAt)
		}
		if again.AppendedAt = l.AppendedAt; !reflect.DeepEqual(again, l) {
			t.Fatalf("%+v came back as %+v", l, again)
		}
	})
}
