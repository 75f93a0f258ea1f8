package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/codec"
)

type user struct {
	Name string
	Age  int `json:",omitempty"`
}

// roundTrip fails the test if v does not come back from its bytes, behind others.
func roundTrip[T any](t *testing.T, c codec.ValueCodec[T], v T) {
	t.Helper()
	head := []byte("head")
	b, err := c.AppendValue(head[:4:4], v)
	if err != nil || !bytes.HasPrefix(b, head) {
		t.Fatalf("%v is %x, %v", v, b, err)
	}
	back, err := c.DecodeValue(b[len(head):])
	if err != nil || fmt.Sprint(back) != fmt.Sprint(v) {
		t.Errorf("%v became %v, %v", v, back, err)
	}
}

func TestValuesComeBack(t *testing.T) {
	roundTrip(t, codec.Raw, []byte("\x00\xff"))
	roundTrip(t, codec.Raw, nil)
	roundTrip(t, codec.Text, "")
	roundTrip(t, codec.Text, "a\x00")
	roundTrip(t, codec.AsValue(codec.Time), time.Unix(1, 2).UTC())
	roundTrip(t, codec.JSON[user](), user{"Ada", 36})
	roundTrip(t, codec.JSON[*user](), nil)
	roundTrip(t, codec.JSON[map[string][]int](), map[string][]int{"<a>": {1, 2}})
	roundTrip(t, codec.Gob[user](), user{"Ada", 36})
	roundTrip(t, codec.Gob[user](), user{})
	roundTrip(t, codec.Gob[map[int]complex128](), map[int]complex128{1: 2i})
	roundTrip(t, codec.Binary[netip.Addr](), netip.MustParseAddr("2001:db8::1"))
	roundTrip(t, codec.Binary[netip.Addr](), netip.Addr{})
	roundTrip(t, codec.Binary[time.Time](), time.Unix(1, 2).UTC())
	roundTrip(t, codec.Binary[url.URL](), url.URL{Scheme: "https", Host: "example.org"})
	who := user{"Ada", 36}
	b, err := codec.Gob[*user]().AppendValue(nil, &who)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := codec.Gob[*user]().DecodeValue(b); err != nil || *back != who {
		t.Errorf("%v, %v", back, err)
	}
}

func TestDecodedBytesAreNotPartOfTheStoredOnes(t *testing.T) {
	stored := []byte("value")
	raw, err := codec.Raw.DecodeValue(stored)
	if err != nil {
		t.Fatal(err)
	}
	key, err := codec.Bytes.DecodeKey(stored)
	if err != nil {
		t.Fatal(err)
	}
	stored[0] = 'V'
	if string(raw) != "value" || string(key) != "value" {
		t.Errorf("%q, %q", raw, key)
	}
}

func TestEachGobStandsForItself(t *testing.T) {
	c := codec.Gob[user]()
	first, err := c.AppendValue(nil, user{"Ada", 1})
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.AppendValue(nil, user{"Bob", 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != len(second) {
		t.Errorf("%d and %d bytes", len(first), len(second))
	}
	if got, err := c.DecodeValue(second); err != nil || got.Name != "Bob" {
		t.Errorf("%v, %v", got, err)
	}
}

// marshaler fails at both.
type marshaler struct{}

var errMarshal = errors.New("no such thing")

func (marshaler) MarshalBinary() ([]byte, error) { return nil, errMarshal }
func (*marshaler) UnmarshalBinary([]byte) error  { return errMarshal }

func TestValuesThatCannotBeEncodedAreErrors(t *testing.T) {
	fails := func(b []byte, err error) {
		t.Helper()
		if err == nil || string(b) != "dst" {
			t.Errorf("%q, %v", b, err)
		}
	}
	dst := []byte("dst")
	fails(codec.JSON[float64]().AppendValue(dst, math.NaN()))
	fails(codec.JSON[chan int]().AppendValue(dst, nil))
	fails(codec.Gob[*user]().AppendValue(dst, nil))
	fails(codec.Gob[**user]().AppendValue(dst, new(*user)))
	fails(codec.Gob[any]().AppendValue(dst, nil))
	fails(codec.Gob[chan int]().AppendValue(dst, nil))
	fails(codec.Binary[marshaler]().AppendValue(dst, marshaler{}))
}

func TestBytesThatNoValueHasAreErrors(t *testing.T) {
	fails := func(name string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	b, err := codec.Gob[user]().AppendValue(nil, user{"Ada", 36})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		b    []byte
	}{{"empty", nil}, {"cut short", b[:len(b)-1]}, {"too long", append(b, 0)}} {
		_, err = codec.Gob[user]().DecodeValue(c.b)
		fails("gob "+c.name, err)
	}
	_, err = codec.JSON[user]().DecodeValue(nil)
	fails("json, empty", err)
	_, err = codec.JSON[user]().DecodeValue([]byte("{} {}"))
	fails("json, two", err)
	_, err = codec.Binary[netip.Addr]().DecodeValue([]byte("12345"))
	fails("binary", err)
	_, err = codec.Binary[marshaler]().DecodeValue(nil)
	fails("binary that fails", err)
	_, err = codec.AsValue(codec.Int64).DecodeValue(nil)
	fails("key", err)
}
