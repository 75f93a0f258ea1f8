package backup_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// The backups in testdata are of each format that was ever written, and are never written
// anew. One of the format that is being developed is made by
//
//	go test ./internal/engine/backup -run TestGoldenBackups -golden-backup format1.backup
var goldenBackup = flag.String("golden-backup", "", "write testdata/NAME anew")

func TestGoldenBackupsAreRestored(t *testing.T) {
	if *goldenBackup != "" {
		db := small(t, vfs.NewMem())
		stream, _ := backupOf(t, db)
		must(t, db.Close())
		must(t, os.WriteFile(filepath.Join("testdata", *goldenBackup), stream, 0o644))
	}
	files, err := filepath.Glob("testdata/*.backup")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		mem := vfs.NewMem()
		stream, err := os.Open(name)
		must(t, err)
		defer stream.Close()
		_, err = siltstone.Restore(bg, "again", &siltstone.Options{FS: mem}, stream)
		must(t, err)
		judge(t, mem, "")
	}
}
