package scripttest

import (
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone"
)

// batch is a Batch as the writer that a command expects. Its mistakes are answered
// by apply.
type batch struct{ *siltstone.Batch }

func (b batch) Put(key, value []byte) error { b.Batch.Put(key, value); return nil }

func (b batch) PutTTL(key, value []byte, ttl time.Duration) error {
	b.Batch.PutTTL(key, value, ttl)
	return nil
}

func (b batch) Delete(key []byte) error             { b.Batch.Delete(key); return nil }
func (b batch) DeleteRange(r siltstone.Range) error { b.Batch.DeleteRange(r); return nil }
func (batch) Expire([]byte, time.Duration) error    { mistake("a batch has no expire"); return nil }
func (batch) Persist([]byte) (bool, error)          { mistake("a batch has no persist"); return false, nil }

// batchCommands fill and apply batches; put, del and the like take one as target.
var batchCommands = map[string]command{
	"batch": {"NAME", newBatch},
	"apply": {"[LEVEL]", apply},
	"reset": {"", func(c *call) (string, error) { on[batch](c).Reset(); return "", nil }},
	"ops":   {"", ops},
}

func newBatch(c *call) (string, error) {
	c.mayName(c.words[0])
	c.name(c.words[0], batch{new(siltstone.Batch)}, nil)
	return "", nil
}

// apply applies the batch to the main store.
func apply(c *call) (string, error) {
	db, ok := c.find("").(*siltstone.DB)
	if !ok {
		mistake("there is no store %s", mainStore)
	}
	return silent(db.Apply(on[batch](c).Batch, level(c.arg(0))))
}

// ops shows the operations of a batch, and fails if it counts another number.
func ops(c *call) (string, error) {
	var lines []string
	n := 0
	for op, err := range on[batch](c).Ops() {
		if err != nil {
			lines = append(lines, showError(err))
			break
		}
		n++
		text := ""
		switch op.Kind {
		case siltstone.OpPut:
			text = "put " + showKV(op.Key, op.Value, nil)
		case siltstone.OpDelete:
			text = "del " + show(op.Key)
		case siltstone.OpDeleteRange:
			text = "del-range " + showRange(op.Range)
		}
		if op.TTL != 0 {
			text += fmt.Sprintf(" for %v", op.TTL)
		}
		if op.Keyspace != "" {
			text += " in " + show([]byte(op.Keyspace))
		}
		lines = append(lines, text)
	}
	if counts := on[batch](c).Len(); counts != n {
		return "", fmt.Errorf("it counts %d operations and shows %d", counts, n)
	}
	return joined(lines), nil
}
