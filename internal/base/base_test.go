package base

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestPrefix8NeverContradictsTheKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	key := func() []byte {
		k := []byte("shared")
		for range rng.IntN(12) {
			k = append(k, []byte{0, 0, 1, 0xFF, 'a'}[rng.IntN(5)])
		}
		return k
	}
	for range 100_000 {
		a, b := key(), key()
		skip := rng.IntN(7)
		pa, pb := Prefix8(a, skip), Prefix8(b, skip)
		if pa < pb && bytes.Compare(a, b) >= 0 {
			t.Fatalf("Prefix8(%q, %d) < Prefix8(%q, %d)", a, skip, b, skip)
		}
	}
	if Prefix8([]byte("a"), 0) != Prefix8([]byte("a\x00"), 0) {
		t.Error("a and a NUL are told apart by eight bytes: the padding is not zero")
	}
}

func TestSuccessorIsBehindEveryKeyWithThePrefix(t *testing.T) {
	for _, c := range []struct{ prefix, want string }{
		{"a", "b"}, {"a\xff", "b"}, {"a\xff\xff", "b"}, {"\x00", "\x01"}, {"ab", "ac"},
	} {
		if got := Successor([]byte(c.prefix)); string(got) != c.want {
			t.Errorf("Successor(%q) = %q, want %q", c.prefix, got, c.want)
		}
	}
	for _, p := range []string{"", "\xff", "\xff\xff"} {
		if got := Successor([]byte(p)); got != nil {
			t.Errorf("Successor(%q) = %q, want none", p, got)
		}
	}
}

func TestInternalOrderIsKeyThenNewestFirst(t *testing.T) {
	in := []struct {
		key string
		seq SeqNum
	}{{"a", 9}, {"a", 3}, {"a", 0}, {"a\x00", 5}, {"b", 7}}
	for i := range in {
		for j := range in {
			got := CompareInternal([]byte(in[i].key), in[i].seq, []byte(in[j].key), in[j].seq)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%v against %v: %d", in[i], in[j], got)
			}
		}
	}
}

func TestFilenamesAreReadBack(t *testing.T) {
	for _, typ := range []FileType{FileLog, FileTable, FileManifest} {
		for _, n := range []FileNum{1, 999_999, 1_000_000, 1 << 62} {
			if gotT, gotN := ParseFilename(Filename(typ, n)); gotT != typ || gotN != n {
				t.Errorf("%s is read as %d, %d", Filename(typ, n), gotT, gotN)
			}
		}
	}
	for _, name := range []string{
		"", "x", "1.wal", "0000001.wal", "+00001.sst", "-00001.sst", "00000a.sst", "000001.sst.bak",
		"MANIFEST-", "MANIFEST-1", "current", "999999999999999999999.wal",
	} {
		if typ, _ := ParseFilename(name); typ != FileUnknown {
			t.Errorf("%q is taken for a file of type %d", name, typ)
		}
	}
}

func TestAttributesOfTheFutureAreRefused(t *testing.T) {
	for b := range 256 {
		a := Attr(b)
		want := b&0x80 == 0 && b&7 >= 1 && b&7 <= 3
		if a.Valid() != want {
			t.Errorf("attribute byte %08b: valid %v", b, a.Valid())
		}
	}
	a := MakeAttr(KindPut, 5, true)
	if a.Kind() != KindPut || a.Type() != 5 || !a.HasExpiry() || a != 0x69 {
		t.Errorf("MakeAttr: %08b", a)
	}
}

func TestACorruptionErrorNamesFileAndOffset(t *testing.T) {
	err := fmt.Errorf("opening: %w", Corruptf("000007.sst", 4096, "checksum does not match"))
	var c *CorruptionError
	if !errors.Is(err, ErrCorruption) || !errors.As(err, &c) || c.File != "000007.sst" || c.Offset != 4096 {
		t.Errorf("%v", err)
	}
}
