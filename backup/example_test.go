package backup_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/backup"
	"github.com/siltstonedb/siltstone/vfs"
)

func Example() {
	if err := example(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2 backups, the newest has 2 tables
	// world
}

func example(ctx context.Context) error {
	disk := vfs.NewMem() // of a service: the real one, and backup.Dir
	db, err := siltstone.Open("store", &siltstone.Options{FS: disk})
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := backup.Open(backup.DirOn(disk, "backups"), nil)
	if err != nil {
		return err
	}
	for _, value := range []string{"hello", "world"} {
		if err := db.Put([]byte("greeting"), []byte(value)); err != nil {
			return err
		}
		if _, err := r.Run(ctx, db, nil); err != nil {
			return err
		}
	}
	if _, err := r.Prune(ctx, backup.Keep{Last: 24, Within: 30 * 24 * time.Hour}); err != nil {
		return err
	}
	all, err := r.List(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d backups, the newest has %d tables\n", len(all), all[1].Tables)

	if err := r.Restore(ctx, "", "again", &siltstone.Options{FS: disk}); err != nil { // the newest
		return err
	}
	again, err := siltstone.Open("again", &siltstone.Options{FS: disk})
	if err != nil {
		return err
	}
	defer again.Close()
	v, err := again.Get([]byte("greeting"))
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", v)
	return again.Close()
}
