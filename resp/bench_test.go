package resp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/siltstonedb/siltstone"
)

// BenchmarkPipeline sends commands sixteen at a time over loopback, to a store on disk at
// the level of redis-server's appendfsync everysec. bench.sh compares with redis-server.
func BenchmarkPipeline(b *testing.B) {
	const depth = 16
	random := rand.New(rand.NewPCG(1, 1))
	number := func() string { return fmt.Sprintf("%012d", random.IntN(100_000)) }
	for _, cmd := range []struct {
		name string
		args func() []string
	}{
		{"SET", func() []string { return []string{"SET", "key:" + number(), "VXK"} }},
		{"GET", func() []string { return []string{"GET", "key:" + number()} }},
		{"INCR", func() []string { return []string{"INCR", "counter:" + number()} }},
		{"HSET", func() []string { return []string{"HSET", "myhash", "element:" + number(), "VXK"} }},
		{"SADD", func() []string { return []string{"SADD", "myset", "element:" + number()} }},
		{"ZADD", func() []string { return []string{"ZADD", "myzset", number(), "element:" + number()} }},
		{"LPUSH", func() []string { return []string{"LPUSH", "mylist", "VXK"} }},
		{"LRANGE", func() []string { return []string{"LRANGE", "mylist", "0", "99"} }},
	} {
		b.Run(cmd.name, func(b *testing.B) {
			db, err := siltstone.Open(b.TempDir(), &siltstone.Options{Durability: siltstone.BufferedDurability})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			for range 1000 {
				if _, err := db.List("mylist").PushFront([]byte("VXK")); err != nil {
					b.Fatal(err)
				}
			}
			s, err := NewServer(db, &Options{Writable: true, SoleWriter: true, Durability: siltstone.OSDurability})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			go s.Serve(l)
			c := dial(b, l.Addr().String())
			var batches [][]byte
			for range 1000 {
				var batch bytes.Buffer
				for range depth {
					batch.Write(encode(cmd.args()...))
				}
				batches = append(batches, batch.Bytes())
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += depth {
				if _, err := c.conn.Write(batches[i/depth%len(batches)]); err != nil {
					b.Fatal(err)
				}
				for range depth {
					c.receive()
				}
			}
		})
	}
}
