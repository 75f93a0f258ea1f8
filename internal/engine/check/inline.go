package check

import (
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// inlineFault returns the fault of an inline collection, whose elements are the
// body of its metadata; nil for other records.
func inlineFault(row []byte, attr base.Attr, value []byte) error {
	typ := record.Type(attr.Type())
	m, err := record.DecodeMeta(value)
	if !typ.IsCollection() || err != nil || m.Encoding != record.EncodingInline {
		return nil
	}
	if err := record.CheckInline(typ, m.Body, m.Count); err != nil {
		return fmt.Errorf("%w: %v in row %q counts %d elements: %w", base.ErrCorruption, typ, row, m.Count, err)
	}
	if m.NextDue != 0 {
		return fmt.Errorf("%w: %v in row %q is inline and has elements with deadlines", base.ErrCorruption, typ, row)
	}
	if typ != record.TypeZSet {
		return nil
	}
	members := map[string]bool{}
	for left := m.Body; len(left) > 0; {
		key, _, rest, _ := record.NextInline(typ, left)
		member := string(key[keyenc.ScoreLen:])
		if _, ok := keyenc.DecodeScore(key[:keyenc.ScoreLen]); !ok || members[member] {
			return fmt.Errorf("%w: sorted set in row %q has the member %q twice, or with a score that is none", base.ErrCorruption, row, member)
		}
		members[member], left = true, rest
	}
	return nil
}
