package record

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestVolatileValuesLookLikeThis(t *testing.T) {
	b := append(AppendDeadline([]byte("x"), 1_700_000_000_000), "value"...)
	if got := hex.EncodeToString(b); got != "780000018bcfe5680076616c7565" {
		t.Errorf("got %s", got)
	}
	deadline, rest, ok := CutDeadline(b[1:])
	if deadline != 1_700_000_000_000 || !bytes.Equal(rest, []byte("value")) || !ok {
		t.Errorf("came back as %d, %q, %v", deadline, rest, ok)
	}
	if _, rest, ok := CutDeadline(b[1:9]); !ok || len(rest) != 0 {
		t.Errorf("a value may be empty: %q %v", rest, ok)
	}
	for _, odd := range []string{"", "00000000000000", "0000000000000000", "4000000000000001", "ffffffffffffffff"} {
		b, err := hex.DecodeString(odd)
		if err != nil {
			t.Fatal(err)
		}
		if deadline, _, ok := CutDeadline(b); ok {
			t.Errorf("%s is the deadline %d", odd, deadline)
		}
	}
}

func TestTheValueOfAnElementIsSplitByTheTypeOfItsRow(t *testing.T) {
	b := AppendDeadline(nil, 7)
	b = append(b, "value"...)
	if deadline, rest, ok := ElementValue(TypeVolatile, b); deadline != 7 || string(rest) != "value" || !ok {
		t.Errorf("volatile: %d, %q, %v", deadline, rest, ok)
	}
	if deadline, rest, ok := ElementValue(TypeNone, b); deadline != 0 || !bytes.Equal(rest, b) || !ok {
		t.Errorf("plain: %d, %q, %v", deadline, rest, ok)
	}
	if _, _, ok := ElementValue(TypeVolatile, b[:3]); ok {
		t.Error("a volatile row without a deadline is split")
	}
}
