package fuzz

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/vfs"
)

// fillBatch makes a batch of any bytes: a kind, two lengths, a key and a value
// for each operation.
func fillBatch(in []byte) *siltstone.Batch {
	var b siltstone.Batch
	for len(in) > 3 {
		kind, k, v := in[0], int(in[1]), int(in[2])
		in = in[3:]
		key := in[:min(k, len(in))]
		in = in[len(key):]
		value := in[:min(v, len(in))]
		in = in[len(value):]
		switch kind % 4 {
		case 0:
			b.Put(key, value)
		case 1:
			b.PutTTL(key, value, time.Duration(kind)*time.Second)
		case 2:
			b.Delete(key)
		case 3:
			b.DeleteRange(siltstone.Range{Lower: key, Upper: value})
		}
	}
	return &b
}

// show writes a batch's operations down.
func show(b *siltstone.Batch) string {
	var out bytes.Buffer
	for op, err := range b.Ops() {
		fmt.Fprintf(&out, "%d %s %q=%q %v %q..%q %v\n", op.Kind, op.Keyspace, op.Key, op.Value, op.TTL, op.Range.Lower, op.Range.Upper, err)
	}
	return out.String()
}

// FuzzBatch replays batches: what comes out, put into another batch, is the
// same batch, and has the same effect on a store.
func FuzzBatch(f *testing.F) {
	f.Add([]byte("\x00\x01\x01ab\x01\x02\x00cd\x02\x01\x00a\x03\x01\x01az"))
	f.Add([]byte("\x03\x00\x00\x03\x01\x00a\x00\x00\x00"))
	f.Add([]byte("\x03\x01\x01za"))
	f.Add(bytes.Repeat([]byte("\x00\x02\x02k\xffvv"), 50))
	f.Fuzz(func(t *testing.T, in []byte) {
		b := fillBatch(in)
		var again siltstone.Batch
		for op, err := range b.Ops() {
			if err != nil {
				break
			}
			switch op.Kind {
			case siltstone.OpPut:
				if op.TTL > 0 {
					again.PutTTL(op.Key, op.Value, op.TTL)
				} else {
					again.Put(op.Key, op.Value)
				}
			case siltstone.OpDelete:
				again.Delete(op.Key)
			case siltstone.OpDeleteRange:
				again.DeleteRange(op.Range)
			default:
				t.Fatalf("operation of kind %d", op.Kind)
			}
		}
		if b.Err() != nil {
			return
		}
		if show(b) != show(&again) || b.Len() != again.Len() || b.Size() != again.Size() {
			t.Fatalf("replayed:\n%s\nwas:\n%s", show(&again), show(b))
		}
		if one, two := effect(t, b), effect(t, &again); one != two {
			t.Fatalf("replayed to %s, was %s", two, one)
		}
	})
}

// effect is what a store holds after b.
func effect(t *testing.T, b *siltstone.Batch) string {
	now := time.UnixMilli(1_700_000_000_000)
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem(), Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Apply(b, siltstone.BufferedDurability); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for kv, err := range db.Scan(siltstone.Range{}) {
		ttl, ttlErr := db.TTL(kv.Key)
		fmt.Fprintf(&out, "%q=%q %v %v %v\n", kv.Key, kv.Value, ttl, err, ttlErr)
	}
	return out.String()
}

// FuzzBatchOp decodes any bytes as operations of a batch, as the log's frames
// hold them: they are refused, or survive being encoded again.
func FuzzBatchOp(f *testing.F) {
	var b []byte
	b = record.AppendOp(b, record.Op{Attr: 1, Key: []byte("key"), Value: []byte("value")})
	b = record.AppendOp(b, record.Op{Attr: 0x41, Expiry: 1_700_000_000_000, Key: []byte("key"), Value: []byte("value")})
	b = record.AppendOp(b, record.Op{Attr: 2, Key: []byte("key")})
	b = record.AppendOp(b, record.Op{Attr: 3, Key: []byte("from"), Value: []byte("to")})
	f.Add(b)
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		for len(in) > 0 {
			o, n, err := record.DecodeOp(in)
			if err != nil {
				return
			}
			if n <= 0 || n > len(in) || len(o.Key)+len(o.Value) > n {
				t.Fatalf("%d of %d bytes, key %d, value %d", n, len(in), len(o.Key), len(o.Value))
			}
			again, _, err := record.DecodeOp(record.AppendOp(nil, o))
			if err != nil || again.Attr != o.Attr || again.Expiry != o.Expiry || !bytes.Equal(again.Key, o.Key) || !bytes.Equal(again.Value, o.Value) {
				t.Fatalf("%+v encodes and decodes to %+v, %v", o, again, err)
			}
			in = in[n:]
		}
	})
}

// FuzzReadBatch reads any bytes as a batch, with the checksum put right: what is read
// is written again as the same batch, and nothing panics.
func FuzzReadBatch(f *testing.F) {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	ks, err := db.CreateKeyspace("named")
	if err != nil {
		f.Fatal(err)
	}
	b := fillBatch([]byte("\x00\x01\x01ab\x01\x02\x00cd\x02\x01\x00a\x03\x01\x01az"))
	b.In(ks).PutTTL([]byte("k"), []byte("v"), siltstone.NoTTL-1)
	data, err := b.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-9])
	f.Add([]byte("SBAT\x01\x00\x01\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, err := db.ReadBatch(in); err != nil && len(in) > 8 {
			in = in[:len(in)-8]
		}
		in = binary.LittleEndian.AppendUint64(in[:len(in):len(in)], xxhash.Sum64(in))
		read, err := db.ReadBatch(in)
		if err != nil {
			return
		}
		again, err := read.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		twice, err := db.ReadBatch(again)
		if err != nil {
			t.Fatal(err)
		}
		if show(read) != show(twice) {
			t.Fatalf("read\n%swritten and read again\n%s", show(read), show(twice))
		}
	})
}
