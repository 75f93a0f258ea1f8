package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/golden"
	"github.com/siltstonedb/siltstone/internal/seed"
)

// fullEdit has every field.
func fullEdit(t testing.TB) *Edit {
	tab := table(t, `L2 #300: 13["\x01k"-m){id=81985529216486895,size=4096,digest=1,minseq=70,maxseq=99,puts=3,dels=2,rangedels=1,meta=1,collbytes=200,keybytes=30,valuebytes=400,shadowed=5,expiring=1,minexpiry=1000,maxexpiry=1600}`)
	return &Edit{
		Added: []*Table{tab}, Removed: []base.FileNum{10, 300},
		MinLog: 12, LastSeq: 1 << 40, Clock: 1700000000000, FileLimit: 128, IDLimit: 4096, KeyspaceLimit: 3,
		Nominated: []IDRange{{0, 7, 9}, {2, 300, math.MaxUint64}}, Settled: []IDRange{{0, 4, 4}}, Clean: true,
	}
}

func TestBytesOfAnEditAreFrozen(t *testing.T) {
	var b strings.Builder
	full := reflect.ValueOf(*fullEdit(t))
	for i := range full.NumField() {
		one := &Edit{}
		reflect.ValueOf(one).Elem().Field(i).Set(full.Field(i))
		fmt.Fprintf(&b, "%s\n", one)
		for bytes := range slices.Chunk(AppendEdit(nil, one), 24) {
			fmt.Fprintf(&b, "    % x\n", bytes)
		}
	}
	fmt.Fprintf(&b, "all together\n")
	for bytes := range slices.Chunk(AppendEdit(nil, fullEdit(t)), 24) {
		fmt.Fprintf(&b, "    % x\n", bytes)
	}
	golden.Compare(t, "testdata/edit.txt", b.String())
}

func TestStateIsDrawn(t *testing.T) {
	s, err := NewState(0xDB).Apply(&Edit{Added: mustParse(t, picture).AllTables(), LastSeq: 99, Clock: 5, FileLimit: 64, MinLog: 30, Nominated: []IDRange{{0, 7, 9}}})
	must(t, err)
	s.Parent = 0xDA
	closed, err := s.Apply(&Edit{Removed: []base.FileNum{30, 31}, Clean: true, IDLimit: 10, KeyspaceLimit: 4})
	must(t, err)
	golden.Compare(t, "testdata/state.txt", s.String()+"\n"+closed.String()+"\n"+fullEdit(t).String()+"\n")
}

func randomEdit(rng *rand.Rand) *Edit {
	e := &Edit{Clean: rng.IntN(2) == 0}
	big := func(most uint64) uint64 {
		return (rng.Uint64() >> rng.IntN(64)) % most
	}
	for range rng.IntN(3) {
		tab := &Table{Num: base.FileNum(1 + big(math.MaxInt64-1)), Level: uint8(rng.IntN(LastLevel + 1)), Run: rng.Uint64()}
		tab.ID, tab.Digest, tab.Size = rng.Uint64()|1, rng.Uint64(), big(math.MaxInt64)
		tab.Smallest = []byte(strings.Repeat("\x00", 1+rng.IntN(300)))
		tab.Largest = append([]byte{1}, make([]byte, rng.IntN(300))...)
		tab.LargestExclusive = rng.IntN(2) == 0
		tab.MinSeq = base.SeqNum(big(uint64(base.SeqMax)))
		tab.MaxSeq = tab.MinSeq + base.SeqNum(big(uint64(base.SeqMax-tab.MinSeq)))
		for _, p := range tab.counts() {
			*p = big(math.MaxUint64)
		}
		tab.MinExpiry = int64(big(math.MaxInt64))
		tab.MaxExpiry = tab.MinExpiry + int64(big(uint64(math.MaxInt64-tab.MinExpiry)+1))
		e.Added = append(e.Added, tab)
	}
	for range rng.IntN(3) {
		e.Removed = append(e.Removed, base.FileNum(1+big(math.MaxInt64-1)))
	}
	for _, list := range []*[]IDRange{&e.Nominated, &e.Settled} {
		for range rng.IntN(3) {
			first := rng.Uint64() >> rng.IntN(64)
			*list = append(*list, IDRange{rng.Uint32() >> rng.IntN(32), first, first + big(math.MaxUint64-first)})
		}
	}
	e.MinLog, e.FileLimit = base.FileNum(big(math.MaxInt64)), base.FileNum(big(math.MaxInt64))
	e.LastSeq, e.Clock = base.SeqNum(big(uint64(base.SeqMax))), int64(big(math.MaxInt64))
	e.IDLimit, e.KeyspaceLimit = big(math.MaxUint64), rng.Uint32()>>rng.IntN(32)
	return e
}

func TestEditComesBackFromItsBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed.New(t), 3))
	for range 500 {
		e := randomEdit(rng)
		b := AppendEdit(nil, e)
		got, err := DecodeEdit(b)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf("%v\n%s, want\n%s", err, got, e)
		}
	}
}

func TestEditCutShortIsRefusedOrAnotherEdit(t *testing.T) {
	b := AppendEdit(nil, fullEdit(t))
	fields := 0
	for n := range b {
		e, err := DecodeEdit(b[:n])
		if err == nil {
			fields++
			if again := AppendEdit(nil, e); string(again) != string(b[:n]) {
				t.Fatalf("cut at %d: another encoding", n)
			}
		}
	}
	if fields != 13 { // the empty edit, and behind each field but the last
		t.Errorf("%d cuts are whole edits", fields)
	}
}

func TestEditHasOneEncoding(t *testing.T) {
	record := appendTable(nil, fullEdit(t).Added[0])
	added := func(record []byte) []byte {
		return append(binary.AppendUvarint([]byte{tagAdded}, uint64(len(record))), record...)
	}
	if _, err := DecodeEdit(added(record)); err != nil {
		t.Fatal(err)
	}
	flags := len(binary.AppendUvarint(nil, 300)) + 2 + 2 + 16 // behind number, level, run, size, id, digest
	bad := map[string][]byte{
		"tag 0":                 {0},
		"zero field":            {tagMinLog, 0},
		"number not shortest":   {tagMinLog, 0x81, 0},
		"tag not shortest":      {0x83, 0, 5},
		"number too large":      {tagKeyspaceLimit, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F},
		"number above 64 bits":  append([]byte{tagIDLimit}, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F),
		"clock too large":       append([]byte{tagClock}, binary.AppendUvarint(nil, math.MaxInt64+1)...),
		"sequence too large":    append([]byte{tagLastSeq}, binary.AppendUvarint(nil, uint64(base.SeqMax)+1)...),
		"fields out of order":   {tagLastSeq, 5, tagMinLog, 5},
		"field twice":           {tagMinLog, 5, tagMinLog, 5},
		"clean twice":           {tagClean, tagClean},
		"id range overflows":    append([]byte{tagSettled, 0, 5}, binary.AppendUvarint(nil, math.MaxUint64-4)...),
		"table longer than all": {tagAdded, 200, 1, 1, 2},
		"table is empty":        {tagAdded, 0},
		"table with a tail":     added(append(slices.Clone(record), 0)),
		"table cut short":       added(record[:len(record)-1]),
		"unknown flag":          added(slices.Concat(record[:flags], []byte{3}, record[flags+1:])),
	}
	for name, b := range bad {
		if e, err := DecodeEdit(b); err == nil {
			t.Errorf("%s: no error, edit %s", name, e)
		}
	}
	if record[flags] != flagLargestExclusive {
		t.Errorf("flags do not stand at %d", flags)
	}
	if _, err := DecodeEdit([]byte{12, 1}); !errors.Is(err, base.ErrFormatTooNew) {
		t.Errorf("unknown field: %v", err)
	}
}
