package scripttest

import (
	"cmp"
	"fmt"
	"iter"

	"github.com/siltstonedb/siltstone"
)

// keyCommands read and write keys, of a store, keyspace, transaction, snapshot or
// batch.
var keyCommands = map[string]command{
	"put": {"KEY VALUE", func(c *call) (string, error) { return silent(c.writer().Put(c.bytes(0), c.bytes(1))) }},
	"put-ttl": {"KEY VALUE TTL", func(c *call) (string, error) {
		return silent(c.writer().PutTTL(c.bytes(0), c.bytes(1), duration(c.words[2])))
	}},
	"put-at":    {"LEVEL KEY VALUE", putAt},
	"del":       {"KEY", func(c *call) (string, error) { return silent(c.writer().Delete(c.bytes(0))) }},
	"del-range": {"[LOWER] [UPPER]", func(c *call) (string, error) { return silent(c.writer().DeleteRange(rangeOf(c.words))) }},
	"expire":    {"KEY TTL", func(c *call) (string, error) { return silent(c.writer().Expire(c.bytes(0), duration(c.words[1]))) }},
	"persist":   {"KEY", func(c *call) (string, error) { return answered(c.writer().Persist(c.bytes(0))) }},
	"get":       {"KEY", get},
	"has":       {"KEY", func(c *call) (string, error) { return answered(c.reader().Has(c.bytes(0))) }},
	"ttl":       {"KEY", ttl},
	"scan":      {"[LOWER] [UPPER]", func(c *call) (string, error) { return scanned(c.reader().Scan(rangeOf(c.words)), -1) }},
	"scan-back": {"[LOWER] [UPPER]", func(c *call) (string, error) { return scanned(c.reader().ScanBack(rangeOf(c.words)), -1) }},
	"scan-some": {"COUNT [LOWER] [UPPER]", scanSome},
	"count":     {"[LOWER] [UPPER]", count},
}

// openCommands open what reads: iterators, transactions and snapshots.
var openCommands = map[string]command{
	"iter":      {"NAME [LOWER] [UPPER]", func(c *call) (string, error) { return silent(c.iter(false)) }},
	"iter-keys": {"NAME [LOWER] [UPPER]", func(c *call) (string, error) { return silent(c.iter(true)) }},
	"walk":      {"STEP...", walk},
	"begin":     {"NAME [readonly]", begin},
	"commit":    {"[LEVEL]", commit},
	"rollback":  {"", func(c *call) (string, error) { return "", on[*siltstone.Tx](c).Rollback() }},
	"now":       {"", now},
	"snapshot":  {"NAME", snapshot},
}

// get reads a key, and fails if AppendGet says otherwise.
func get(c *call) (string, error) {
	value, err := c.reader().Get(c.bytes(0))
	again, errAgain := c.reader().AppendGet([]byte("before "), c.bytes(0))
	if string(again) != "before "+string(value) || fmt.Sprint(err) != fmt.Sprint(errAgain) {
		return "", fmt.Errorf("one call says %s, %v, AppendGet %s, %v", show(value), err, show(again), errAgain)
	}
	return answered(value, err)
}

// putAt puts a key in a commit of a level.
func putAt(c *call) (string, error) {
	var b siltstone.Batch
	b.Put(c.bytes(1), c.bytes(2))
	return silent(c.db().Apply(&b, level(c.words[0])))
}

func ttl(c *call) (string, error) {
	d, err := c.reader().TTL(c.bytes(0))
	if err != nil {
		return "", err
	}
	return showTTL(d), nil
}

// scanned shows what a loop yields, up to a number if that is not negative.
func scanned(loop iter.Seq2[siltstone.KV, error], most int) (string, error) {
	var words []string
	for kv, err := range loop {
		if err != nil {
			if len(words) == 0 {
				return "", err
			}
			return wrap(words), err
		}
		if len(words) == most {
			break
		}
		words = append(words, showKV(kv.Key, kv.Value, kv.Type))
	}
	return wrap(words), nil
}

func scanSome(c *call) (string, error) {
	most := number[int](c.words[0])
	words := []string{}
	for kv, err := range c.reader().Scan(rangeOf(c.words[1:])) {
		if err != nil {
			return "", err
		}
		if words = append(words, showKV(kv.Key, kv.Value, kv.Type)); len(words) == most {
			break
		}
	}
	return wrap(words), nil
}

// count shows how many keys there are, the first and the last, and fails if the
// walk back shows others.
func count(c *call) (string, error) {
	var keys []string
	for kv, err := range c.reader().Scan(rangeOf(c.words)) {
		if err != nil {
			return "", err
		}
		keys = append(keys, string(kv.Key))
	}
	at := len(keys)
	for kv, err := range c.reader().ScanBack(rangeOf(c.words)) {
		if err != nil {
			return "", err
		}
		if at--; at < 0 || keys[at] != string(kv.Key) {
			return "", fmt.Errorf("the scan back shows %s where the scan does not", show(kv.Key))
		}
	}
	switch {
	case at != 0:
		return "", fmt.Errorf("the scan back shows %d keys fewer", at)
	case len(keys) == 0:
		return "0", nil
	}
	return fmt.Sprintf("%d, %s to %s", len(keys), show([]byte(keys[0])), show([]byte(keys[len(keys)-1]))), nil
}

func (c *call) iter(keysOnly bool) error {
	c.mayName(c.words[0])
	it, err := c.reader().NewIter(&siltstone.IterOptions{Range: rangeOf(c.words[1:]), KeysOnly: keysOnly})
	if err == nil {
		c.name(c.words[0], it, func() { _ = it.Close() })
	}
	return err
}

// walk moves an iterator and shows where each step ends: at a key, or at none.
func walk(c *call) (string, error) {
	it := on[*siltstone.Iterator](c)
	var at []string
	for i := 0; i < len(c.words); i++ {
		stands := false
		switch step := c.words[i]; step {
		case "first":
			stands = it.First()
		case "last":
			stands = it.Last()
		case "next":
			stands = it.Next()
		case "prev":
			stands = it.Prev()
		case "ge", "lt":
			if i++; i == len(c.words) {
				mistake("%s of which key?", step)
			}
			if step == "ge" {
				stands = it.SeekGE(c.bytes(i))
			} else {
				stands = it.SeekLT(c.bytes(i))
			}
		default:
			mistake("%q is no step: first, last, next, prev, ge KEY, lt KEY", step)
		}
		switch {
		case stands != it.Valid():
			return "", fmt.Errorf("step %d says %s, Valid %s", i+1, yesNo(stands), yesNo(it.Valid()))
		case stands:
			at = append(at, showKV(it.Key(), it.Value(), it.Type()))
		default:
			at = append(at, "-")
		}
	}
	return wrap(at), it.Err()
}

func begin(c *call) (string, error) {
	mode := siltstone.ReadWriteMode
	switch c.arg(1) {
	case "":
	case "readonly":
		mode = siltstone.ReadOnlyMode
	default:
		mistake("a transaction is readonly, or not")
	}
	c.mayName(c.words[0])
	tx, err := c.db().Begin(background, mode)
	if err == nil {
		c.name(c.words[0], tx, func() { _ = tx.Rollback() })
	}
	return silent(err)
}

func commit(c *call) (string, error) {
	tx := on[*siltstone.Tx](c)
	tx.SetDurability(level(c.arg(0)))
	return silent(tx.Commit())
}

// now shows a transaction's clock reading, from where the script's clock began.
func now(c *call) (string, error) {
	return on[*siltstone.Tx](c).Now().Sub(began).String(), nil
}

func snapshot(c *call) (string, error) {
	c.mayName(c.words[0])
	snap, err := c.db().NewSnapshot()
	if err == nil {
		c.name(c.words[0], snap, snap.Close)
	}
	return silent(err)
}

// keyspaceCommands make and drop keyspaces. The handle of one is called as it is,
// or as is said.
var keyspaceCommands = map[string]command{
	"keyspace":      {"KEYSPACE [NAME]", keyspace},
	"keyspaces":     {"", keyspaces},
	"drop-keyspace": {"KEYSPACE", func(c *call) (string, error) { return silent(c.db().DropKeyspace(c.words[0])) }},
	"drop-all":      {"", func(c *call) (string, error) { return silent(c.db().DropAll()) }},
}

func keyspace(c *call) (string, error) {
	name := cmp.Or(c.arg(1), c.words[0])
	ks, err := c.db().CreateKeyspace(c.words[0])
	if err == nil {
		c.mayName(name)
		c.name(name, ks, nil)
	}
	return silent(err)
}

func keyspaces(c *call) (string, error) {
	names, err := c.db().Keyspaces()
	if err != nil {
		return "", err
	}
	for i, n := range names {
		names[i] = show([]byte(n))
	}
	return wrap(names), nil
}
