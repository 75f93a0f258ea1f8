package typedtest

import (
	"bytes"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// checkInline compares the metadata of an inline collection with its body: so many
// elements, in order, no member twice, scores that are numbers, no deadlines.
func checkInline(row []byte, typ record.Type, m record.Meta) error {
	if m.NextDue != 0 || m.Bytes != 0 || m.ID != 0 {
		return fmt.Errorf("%q is inline and has metadata %+v", row, m)
	}
	var last []byte
	members := map[string]bool{}
	n := uint64(0)
	for left := m.Body; len(left) > 0; n++ {
		key, value, rest, ok := record.NextInline(typ, left)
		if !ok {
			return fmt.Errorf("%v %q has the body %x, malformed in front of %x", typ, row, m.Body, left)
		}
		if n > 0 && typ != record.TypeList && bytes.Compare(last, key) >= 0 {
			return fmt.Errorf("%v %q has %q in front of %q", typ, row, last, key)
		}
		if typ == record.TypeZSet {
			if _, ok := keyenc.DecodeScore(key[:keyenc.ScoreLen]); !ok || members[string(key[keyenc.ScoreLen:])] {
				return fmt.Errorf("%q has the member %q with score %x, or twice", row, key[keyenc.ScoreLen:], key[:keyenc.ScoreLen])
			}
			members[string(key[keyenc.ScoreLen:])] = true
		}
		if again := record.AppendInline(nil, typ, key, value); !bytes.Equal(again, left[:len(left)-len(rest)]) {
			return fmt.Errorf("%v %q has an element %x, to be written as %x", typ, row, left, again)
		}
		last, left = key, rest
	}
	if n == 0 || n != m.Count {
		return fmt.Errorf("%v %q counts %d and has %d elements in its body", typ, row, m.Count, n)
	}
	return nil
}
