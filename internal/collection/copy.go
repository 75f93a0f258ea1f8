package collection

import (
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Copy copies metadata and elements under a new id: two live metadata
// rows never share one. Elements that are due are left out. An inline collection
// is its record.
func Copy(t Txn, from, to string, typ record.Type, expiry int64, value []byte) error {
	m, err := record.DecodeMeta(value)
	if err != nil {
		return corrupt(from, err)
	}
	sc := t.Scratch()
	if m.Encoding == record.EncodingInline {
		sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), to)
		return t.Put(sc.Key, typ, expiry, value)
	}
	source := Collection{name: from, typ: typ}
	source.decoded(m)
	if m.ID, err = t.NewID(); err != nil {
		return err
	}
	if err := PutOwner(t, m.ID, to); err != nil {
		return err
	}
	due, err := copyElements(t, &source, m.ID)
	if err != nil {
		return err
	}
	source.Shrank(due)
	m.Count, m.Bytes = source.meta.Count, source.meta.Bytes
	var body [record.RanksLen]byte
	if source.MayBeDue(t) && typ == record.TypeZSet {
		copied := Collection{name: to, typ: typ, meta: m}
		if err := copied.fitRanks(t); err != nil {
			return err
		}
		if err := copied.writePages(t); err != nil {
			return err
		}
		m.Body = record.AppendRanks(body[:0], copied.ranks)
	}
	sc.Out = record.AppendMeta(sc.Out[:0], m)
	sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), to)
	if err := t.Put(sc.Key, typ, expiry, sc.Out); err != nil {
		return err
	}
	return moveTimers(t, m.ID, timers{}, timers{expiry, m.NextDue})
}

// copyElements copies the rows of the elements that are not due, and returns how
// many are.
func copyElements(t Txn, source *Collection, target uint64) (due uint64, err error) {
	sc := t.Scratch()
	lo, hi := keyenc.CollectionRange(t.Prefix(), source.meta.ID, source.meta.ID)
	lo = append(lo, keyenc.TagOwner+1) // everything but the owner row
	cur, err := t.Scan(lo, hi, ScanOptions{})
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	tagAt := len(lo) - 1
	for cur.Next() {
		gone, err := source.isDue(t, cur, cur.Key()[tagAt])
		if err != nil {
			return 0, err
		}
		if gone {
			if cur.Key()[tagAt] == keyenc.TagElement {
				due++
			}
			continue
		}
		if cur.Key()[tagAt] == keyenc.TagBucket && source.MayBeDue(t) {
			continue // they count what is due
		}
		sc.row = keyenc.AppendCollection(sc.row[:0], t.Prefix(), target)
		sc.row = append(sc.row, cur.Key()[tagAt:]...)
		typ := record.Type(cur.Trailer().Attr.Type())
		if err := t.Put(sc.row, typ, cur.Trailer().Expiry, cur.Value()); err != nil {
			return 0, err
		}
	}
	return due, cur.Err()
}

// Replace makes the key the collection of the elements that fill puts, each
// once, whatever it held before, and returns how many there are. The result grows
// under an id of its own; the key, which may be a source of fill, changes last.
// Without elements there is no key.
func Replace(t Txn, name string, typ record.Type, fill func(result *Collection) error) (int64, error) {
	if err := CheckName(name); err != nil {
		return 0, err
	}
	result := Collection{name: name, typ: typ}
	if err := fill(&result); err != nil {
		return 0, err
	}
	row := KeyRow(t, name)
	_, existed, err := Displace(t, row)
	if err != nil {
		return 0, err
	}
	if n := int64(result.meta.Count); n > 0 {
		return n, result.Keep(t)
	}
	if existed {
		err = t.Delete(row)
	}
	return 0, err
}
