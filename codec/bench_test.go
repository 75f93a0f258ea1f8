package codec_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/codec"
)

func benchKey[T any](b *testing.B, name string, k codec.KeyCodec[T], v T) {
	encoded := k.AppendKey(nil, v)
	b.Run(name+"/append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 128)
		for b.Loop() {
			buf = k.AppendKey(buf[:0], v)
		}
	})
	b.Run(name+"/decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := k.DecodeKey(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkKey(b *testing.B) {
	now := time.Unix(1_700_000_000, 5)
	benchKey(b, "Bool", codec.Bool, true)
	benchKey(b, "Int8", codec.Int8, -7)
	benchKey(b, "Int16", codec.Int16, -7)
	benchKey(b, "Int32", codec.Int32, -7)
	benchKey(b, "Int64", codec.Int64, -7)
	benchKey(b, "Uint64", codec.Uint64, 7)
	benchKey(b, "Float64", codec.Float64, -7)
	benchKey(b, "Float32", codec.Float32, -7)
	benchKey(b, "Time", codec.Time, now)
	benchKey(b, "String", codec.String, "user:0000007")
	benchKey(b, "Bytes", codec.Bytes, []byte("user:0000007"))
	benchKey(b, "Tuple2", codec.Tuple2(codec.String, codec.Int64), codec.NewPair("user:0000007", int64(7)))
	benchKey(b, "Tuple2, zeros", codec.Tuple2(codec.String, codec.Int64), codec.NewPair("user\x000000\x00007", int64(7)))
	benchKey(b, "Tuple3", codec.Tuple3(codec.Uint16, codec.Uint8, codec.String), codec.NewTriple(uint16(2026), uint8(1), "Ada"))
	benchKey(b, "Tuple4", codec.Tuple4(codec.String, codec.String, codec.Time, codec.Uint64), codec.NewQuad("door", "open", now, uint64(7)))
}

func benchValue[T any](b *testing.B, name string, c codec.ValueCodec[T], v T) {
	encoded, err := c.AppendValue(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(name+"/append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 1024)
		for b.Loop() {
			if buf, err = c.AppendValue(buf[:0], v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.DecodeValue(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkValue(b *testing.B) {
	benchValue(b, "Raw", codec.Raw, make([]byte, 128))
	benchValue(b, "Text", codec.Text, strings.Repeat("x", 128))
	benchValue(b, "AsValue", codec.AsValue(codec.Time), time.Unix(1, 2))
	benchValue(b, "JSON", codec.JSON[User](), User{"Ada", 36})
	benchValue(b, "Gob", codec.Gob[User](), User{"Ada", 36})
	benchValue(b, "Binary", codec.Binary[netip.Addr](), netip.MustParseAddr("127.0.0.1"))
}
