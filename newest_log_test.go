package siltstone

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// killedWithANewestLog is what happens between two synced commits, the second of which
// is in the newest log alone when the store is killed.
var killedWithANewestLog = map[string]func(t *testing.T, db *DB){
	"in its first log": func(t *testing.T, db *DB) {},
	"behind a flush": func(t *testing.T, db *DB) {
		if err := db.Flush(bg); err != nil {
			t.Fatal(err)
		}
	},
	"in the second of two logs": func(t *testing.T, db *DB) {
		if err := db.section.Rotate(db.section.Mem()); err != nil {
			t.Fatal(err)
		}
	},
}

// Without it the store would open to an earlier state.
func TestANewestLogThatIsMissingOrCutInItsHeaderIsDamage(t *testing.T) {
	for name, before := range killedWithANewestLog {
		for i := range 4 {
			readOnly, cut := i%2 == 0, i/2 == 0
			disk := vfstest.NewDisk(1)
			db := mustOpen(t, disk, newHandClock())
			putAt(t, db, Sync, "a", "1")
			before(t, db)
			putAt(t, db, Sync, "b", "2")
			newest := base.Filename(base.FileLog, db.section.Mem().Log)
			image := disk.Image(vfstest.P0, nil)
			mustClose(t, db)
			if cut {
				replace(t, image, "db/"+newest, contentOf(t, image, "db/"+newest)[:100])
			} else if err := image.Remove("db/" + newest); err != nil {
				t.Fatal(err)
			}
			files := storeImage(t, image, "db")
			o := denseOptions(image, newHandClock())
			o.ReadOnly = readOnly
			_, err := Open("db", &o)
			damage := new(CorruptionError)
			if !errors.As(err, &damage) || !strings.HasSuffix(damage.File, ".wal") {
				t.Errorf("%s, read only %v: %s is cut (%v) or missing, and Open says %v", name, readOnly, newest, cut, err)
			}
			if storeImage(t, image, "db") != files {
				t.Errorf("%s: Open refused the store and changed it", name)
			}
		}
	}
}

// Close is cut at every operation: its last memtable has no log file, and the log
// before it no successor.
func TestAPowerCutInCloseLeavesNoLogMissing(t *testing.T) {
	for name, before := range killedWithANewestLog {
		disk, rng, cuts := vfstest.NewDisk(1), seeded(1), 0
		db := mustOpen(t, disk, newHandClock())
		putAt(t, db, Sync, "a", "1")
		before(t, db)
		putAt(t, db, Sync, "b", "2")
		disk.OnOp(func(op vfstest.Op) {
			for _, p := range vfstest.Profiles() {
				for image := range disk.Images(p, tier(2, 10, 30), rng) {
					cuts++
					again := mustOpen(t, image, newHandClock())
					if keys := fmt.Sprint(keysOf(t, again)); keys != "[a b]" {
						t.Fatalf("%s, %v before %v: the store holds %s", name, p, op, keys)
					}
					mustClose(t, again)
				}
			}
		})
		mustClose(t, db)
		disk.OnOp(nil)
		if cuts < 50 {
			t.Errorf("%s: only %d cuts", name, cuts)
		}
	}
}
