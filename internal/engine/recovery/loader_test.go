package recovery_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/recovery"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/wal"
)

// put is the payload of one put.
func put(key string, size int) []byte {
	return record.AppendOp(nil, record.Op{Attr: base.MakeAttr(base.KindPut, 0, false), Key: []byte(key), Value: make([]byte, size)})
}

func frame(first base.SeqNum, count uint32) wal.Frame { return wal.Frame{First: first, Count: count} }

func TestALoaderHandsMemtablesOverInTheOrderOfTheirFrames(t *testing.T) {
	next := base.SeqNum(1)
	l := &recovery.Loader{MemtableBytes: 8 << 10, Full: func(m *readstate.Mem) error {
		if m.MinSeq() != next || m.MaxSeq() < next {
			t.Errorf("a memtable of %d to %d comes when %d is next", m.MinSeq(), m.MaxSeq(), next)
		}
		next = m.MaxSeq() + 1
		return nil
	}}
	for i := range 50 {
		size := 500
		if i == 20 {
			size = 100 << 10 // larger than any memtable
		}
		if err := l.Frame(frame(base.SeqNum(i+1), 1), put(fmt.Sprint("key", i), size), false); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Finish(); err != nil || next != 51 {
		t.Errorf("sequences below %d were handed over: %v", next, err)
	}
}

func TestALoaderTakesNothingOfAFrameThatIsDamaged(t *testing.T) {
	var records int
	l := &recovery.Loader{MemtableBytes: 8 << 10, Full: func(m *readstate.Mem) error {
		records += m.Len()
		return nil
	}}
	two := append(put("a", 1), put("b", 1)...)
	for name, f := range map[string]struct {
		frame   wal.Frame
		payload []byte
	}{
		"cut short":       {frame(1, 2), two[:len(two)-1]},
		"one more":        {frame(1, 3), two},
		"one less":        {frame(1, 1), two},
		"no op":           {frame(1, 1), []byte{0xff}},
		"nothing, of one": {frame(1, 1), nil},
	} {
		if err := l.Frame(f.frame, f.payload, false); !errors.Is(err, base.ErrCorruption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(l.Frame(frame(7, 2), two, false), l.Finish()); err != nil || records != 2 {
		t.Errorf("%d records, %v", records, err)
	}
}

func TestALoaderReturnsTheErrorOfWhoTakesItsMemtables(t *testing.T) {
	full := errors.New("full")
	l := &recovery.Loader{MemtableBytes: 8 << 10, Full: func(*readstate.Mem) error { return full }}
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = l.Frame(frame(base.SeqNum(i+1), 1), put(fmt.Sprint(i), 500), false)
	}
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}
