//go:build !race && !invariants

package changes_test

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/vfs"
)

func TestACommitAllocatesNothingWhetherOrNotChangesAreKept(t *testing.T) {
	for _, keep := range []changes.Keep{{}, plenty} {
		db := openKeeping(t, vfs.NewMem(), "db", keep, func(o *siltstone.Options) {
			o.MemtableBytes, o.MemoryLimit, o.Durability = 16<<20, 64<<20, siltstone.BufferedDurability
		})
		key, value := []byte("key"), make([]byte, 30)
		for i := range 100 {
			_, err := db.Hash("large").Set(fmt.Sprintf("field %d", i), value)
			done(t, err)
		}
		for name, call := range map[string]func(){
			"Put":      func() { _ = db.Put(key, value) },
			"Delete":   func() { _ = db.Delete([]byte("absent")) },
			"Hash.Set": func() { value[0]++; _, _ = db.Hash("small").Set("field", value) },
			"Hash.Set of a large one": func() {
				value[0]++
				_, _ = db.Hash("large").Set("field 7", value)
			},
			"ZSet.Incr": func() { _, _ = db.ZSet("zset").Incr("member", 1) },
		} {
			call()
			if n := testing.AllocsPerRun(500, call); n > 0 {
				t.Errorf("keep %v: %s allocates %v times", keep.On(), name, n)
			}
		}
	}
}
