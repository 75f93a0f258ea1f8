package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/siltstonedb/siltstone/typed"
)

// told returns a line for each entry of a loop, long ones by their numbers of elements, and
// its error.
func told(b []byte) (string, error) {
	var out strings.Builder
	for e, err := range Read(bytes.NewReader(b)) {
		switch {
		case errors.Is(err, entry.ErrLeftOut):
			fmt.Fprintf(&out, "%v\n", err)
			continue
		case err != nil:
			return out.String(), err
		}
		fmt.Fprintf(&out, "%s/%s %v", e.Keyspace, e.Key, e.Type)
		if !e.Expires.IsZero() {
			fmt.Fprintf(&out, " until %d", e.Expires.UnixMilli())
		}
		switch {
		case e.Type == typed.TypeString && len(e.Value) < 40:
			fmt.Fprintf(&out, " %s", e.Value)
		case e.Type == typed.TypeString:
			fmt.Fprintf(&out, " %d bytes", len(e.Value))
		case len(e.Elements) > 20:
			fmt.Fprintf(&out, " part %d of %d", e.Part, len(e.Elements))
		default:
			for _, v := range e.Elements {
				fmt.Fprintf(&out, " [%s %s %v", v.Name, v.Value, v.Score)
				if !v.Expires.IsZero() {
					fmt.Fprintf(&out, " until %d", v.Expires.UnixMilli())
				}
				out.WriteByte(']')
			}
		}
		out.WriteByte('\n')
	}
	return out.String(), nil
}

// TestAFileOfRedisSevenIsRead reads testdata/redis7.rdb, which Redis 7.0 saved.
func TestAFileOfRedisSevenIsRead(t *testing.T) {
	b, err := os.ReadFile("testdata/redis7.rdb")
	if err != nil {
		t.Fatal(err)
	}
	got, err := told(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"/user:1 string Ada\n", "/num string 12345\n", "/neg string -7\n", "/big string 12345678901234567890\n",
		"/temp string until 7258219445678 x\n", "/repeated string 151 bytes\n",
		"/hash hash [name Ada 0] [age 36 0] [neg -5000 0] [big 99999999999 0]\n",
		"/ints set [-4  0] [1  0] [2  0] [300  0]\n", "/bigints set [1  0] [70000  0] [5000000000  0]\n",
		"/zset zset [low  -Inf] [a  1.5] [c  3] [high  +Inf]\n",
		"/list list [ one 0] [ 2 0] [ three 0] [ -128 0] [ 4000 0] [ 70000 0] [ 8000000 0] [ 3000000000 0] [ 9000000000000 0]\n",
		"left out: key \"stream\" is a stream", "db3/other string Bob\n",
		"/biglist list part 1 of 1000\n", "/biglist list part 2 of 501\n", "/bighash hash part 2 of 500\n",
		"/bigset set part 2 of 500\n", "/bigzset zset part 2 of 500\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
}

// old is a file of Redis 2.6 to 6.2, which kept small collections in ziplists. Redis 7.0
// has loaded these bytes and told the same values.
func old() []byte {
	zl := func(elements ...string) string {
		body, last := "", 0
		for i, e := range elements {
			before := 0
			if i > 0 {
				before = 10 + len(body) - last
			}
			last = 10 + len(body)
			body += string([]byte{byte(before)}) + e
		}
		total := 10 + len(body) + 1
		return text(string([]byte{byte(total), 0, 0, 0, byte(last), 0, 0, 0, byte(len(elements)), 0}) + body + "\xff")
	}
	return []byte("REDIS0006\xfe\x00" +
		"\x01" + text("plainlist") + "\x02" + text("x") + text("y") +
		"\x03" + text("plainzset") + "\x02" + text("m") + "\x031.5" + text("n") + "\xfe" +
		"\x0a" + text("ziplist") + zl("\x02ab", "\xf6", "\xfe\xfd", "\xc0\xe8\x03", "\xf0\x60\x79\xfe", "\xe0\x00\x86\x3b\xa1\x01\x00\x00\x00") +
		"\x0c" + text("zsetzip") + zl("\x01a", "\x031.5", "\x01b", "\xf3") +
		"\x0d" + text("hashzip") + zl("\x01f", "\x01v") +
		"\x0e" + text("quick") + "\x01" + zl("\x02ab") +
		"\xff\x00\x00\x00\x00\x00\x00\x00\x00")
}

func TestAFileWithZiplistsIsRead(t *testing.T) {
	got, err := told(old())
	if err != nil {
		t.Fatal(err, got)
	}
	want := `/plainlist list [ x 0] [ y 0]
/plainzset zset [m  1.5] [n  +Inf]
/ziplist list [ ab 0] [ 5 0] [ -3 0] [ 1000 0] [ -100000 0] [ 7000000000 0]
/zsetzip zset [a  1.5] [b  2]
/hashzip hash [f v 0]
/quick list [ ab 0]
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestDamageInARedisFileIsAnError(t *testing.T) {
	whole, err := os.ReadFile("testdata/redis7.rdb")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 3))
	for i := range 400 {
		b := bytes.Clone(whole)
		if i%2 == 0 {
			b = b[:r.IntN(len(b))]
		} else {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
		if _, err := told(b); err == nil {
			t.Fatalf("change %d was not noticed", i)
		}
	}
}

// text is a string as a file holds it, of up to 63 bytes.
func text(s string) string { return string(rune(len(s))) + s }

// listpack packs texts of up to 63 bytes.
func listpack(elements ...string) string {
	body := ""
	for _, e := range elements {
		body += string([]byte{0x80 | byte(len(e))}) + e + string([]byte{byte(len(e) + 1)})
	}
	return string([]byte{byte(len(body) + 7), 0, 0, 0, byte(len(elements)), 0}) + body + "\xff"
}

const noChecksum = "\xff\x00\x00\x00\x00\x00\x00\x00\x00"

// eight is a file as Redis 7.4 to 8.4 write it: fields with times to live, the data of
// modules, the sizes of a cluster's slots.
func eight() []byte {
	const first = "\x4e\x9f\x97\xef\x99\x06\x00\x00" // 7258219454286 ms
	module := "\x81\x12\x34\x56\x78\x9a\xbc\xde\xf0" + "\x01\x05" + "\x02\x40\x80" + "\x03abcd" + "\x04abcdefgh" + "\x05" + text("data") + "\x00"
	return []byte("REDIS0012\xfa" + text("redis-ver") + text("8.4.0") +
		"\xf7" + module + "\xf5" + text("#!lua name=f") + "\xfe\x00\xfb\x05\x00" + "\xf4\x01\x02\x00" +
		"\x18" + text("timed") + first + "\x03" + "\x01" + text("a") + text("1") + "\x00" + text("b") + text("2") + "\x43\xe9" + text("c") + text("3") +
		"\x19" + text("packed") + first + text(listpack("a", "1", "7258219454286", "b", "", "0")) +
		"\x07" + text("bloom") + module +
		"\xfc\x4e\x9f\x97\xef\x99\x06\x00\x00" + "\xf9\x07" + "\x00" + text("last") + text("x") + noChecksum)
}

func TestFieldsWithTimesToLiveAreRead(t *testing.T) {
	got, err := told(eight())
	if err != nil {
		t.Fatal(err, got)
	}
	want := `/timed hash [a 1 0 until 7258219454286] [b 2 0] [c 3 0 until 7258219455286]
/packed hash [a 1 0 until 7258219454286] [b  0]
left out: key "bloom" has a type of a Redis module
/last string until 7258219454286 x
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestWhatALaterRedisAddsIsNamed has a type and an operation of Redis 8.6.
func TestWhatALaterRedisAddsIsNamed(t *testing.T) {
	for body, want := range map[string]string{
		"\x1a" + text("orders"): `redis RDB, offset 19: key "orders": a value of type 26, which is none of Redis 2.2 to 8.4; the file has version 13`,
		"\xf3\x01abcd":          "redis RDB, offset 12: an operation 243, which is none of Redis 2.2 to 8.4; the file has version 13",
	} {
		if got, err := told([]byte("REDIS0013\xfe\x00" + body)); err == nil || err.Error() != want {
			t.Errorf("%q, %v, want %s", got, err, want)
		}
	}
}

// TestAZipmapIsRead has a hash of Redis 2.2 to 2.4. Redis 7.0 has loaded these bytes and told
// the same values.
func TestAZipmapIsRead(t *testing.T) {
	got, err := told(zipmap())
	want := "/map hash [name Ada 0] [" + strings.Repeat("f", 254) + " " + strings.Repeat("v", 300) + " 0]\n"
	if err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func zipmap() []byte {
	pairs := "\x02" + "\x04name\x03\x02Ada\x00\x00" +
		"\xfe\xfe\x00\x00\x00" + strings.Repeat("f", 254) + "\xfe\x2c\x01\x00\x00\x00" + strings.Repeat("v", 300) + "\xff"
	return []byte("REDIS0004\xfe\x00\x09" + text("map") + string([]byte{0x40 | byte(len(pairs)>>8), byte(len(pairs))}) + pairs + "\xff")
}

func TestNamesThatAreTooLongAreLeftOut(t *testing.T) {
	long := "\x80\x00\x01\x00\x01" + strings.Repeat("n", 64<<10+1)
	got, err := told([]byte("REDIS0009\xfe\x00" +
		"\x00" + long + text("x") +
		"\x00" + text("") + text("x") +
		"\x04" + long + "\x01" + text("f") + text("v") +
		"\x02" + text("set") + "\x02" + long + text("m") + noChecksum))
	want := []string{`^left out: key "n*"… of 65537 bytes: 1 to 65536 are possible$`, `^left out: key "" of 0 bytes`, `^left out: key "n`,
		`^left out: an element of key "set", whose name has 65537 bytes`, `^/set set \[m  0\]$`}
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if err != nil || len(lines) != len(want) {
		t.Fatalf("%v\n%s", err, got)
	}
	for i, w := range want {
		if !regexp.MustCompile(w).MatchString(lines[i]) {
			t.Errorf("%s, want %s", lines[i], w)
		}
	}
}

func FuzzRDB(f *testing.F) {
	f.Add(old())
	f.Add(eight())
	f.Add(zipmap())
	f.Fuzz(func(t *testing.T, b []byte) {
		for e, err := range Read(bytes.NewReader(b)) {
			if err == nil && (len(e.Key) == 0 || e.Type != typed.TypeString && len(e.Elements) == 0) {
				t.Fatalf("%+v", e)
			}
		}
	})
}
