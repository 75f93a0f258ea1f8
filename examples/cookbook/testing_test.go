package cookbook

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// errPoor refuses a transfer.
var errPoor = errors.New("there is not enough money in the account")

// transfer is what is to be tested: it moves money from one account to another.
func transfer(ctx context.Context, db *siltstone.DB, from, to string, amount int64) error {
	return db.Update(ctx, func(tx *siltstone.Tx) error {
		left, err := tx.String(from).Incr(-amount)
		if err != nil {
			return err
		}
		if left < 0 {
			return errPoor
		}
		_, err = tx.String(to).Incr(amount)
		return err
	})
}

// A store in memory is a store: all calls work, no file is made, and opening it takes no time.
func TestATransferThatIsRefusedMovesNothing(t *testing.T) {
	db, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.String("ada").Incr(10); err != nil {
		t.Fatal(err)
	}
	if err := transfer(t.Context(), db, "ada", "bob", 11); !errors.Is(err, errPoor) {
		t.Error(err)
	}
	if v, err := db.Get([]byte("ada")); string(v) != "10" {
		t.Error(string(v), err)
	}
}

// With a clock of its own a test does not wait. The store's goroutines ask it too, so it is
// an atomic. It must not go back.
func TestACouponIsGoodForADay(t *testing.T) {
	var now atomic.Int64 // seconds
	now.Store(1_900_000_000)
	db, err := siltstone.Open("data", &siltstone.Options{
		FS:    vfs.NewMem(),
		Clock: func() time.Time { return time.Unix(now.Load(), 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.PutTTL([]byte("coupon"), []byte("10%"), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	now.Add(24*3600 - 1)
	if there, err := db.Has([]byte("coupon")); !there || err != nil {
		t.Errorf("a second before the end: %v, %v", there, err)
	}
	now.Add(1)
	if there, err := db.Has([]byte("coupon")); there || err != nil {
		t.Errorf("at the end: %v, %v", there, err)
	}
}

// TestMoneyIsNeitherLostNorMade cuts the power before each operation of the disk, one after
// the other, and opens the store that such a cut leaves.
func TestMoneyIsNeitherLostNorMade(t *testing.T) {
	step := int64(1)
	if testing.Short() {
		step = 7
	}
	for cut := int64(1); ; cut += step {
		disk := vfstest.NewDisk(1)
		disk.CutAt(cut)
		acknowledged, err := transfers(disk)
		if err == nil {
			return // the disk has been used up to the end
		}
		// Of what no sync had covered any part may be there.
		after := disk.Image(vfstest.P3, rand.New(rand.NewPCG(1, uint64(cut))))
		db, err := siltstone.Open("data", &siltstone.Options{FS: after})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		ada, bob := balance(t, db, "ada"), balance(t, db, "bob")
		if acknowledged > 0 && ada+bob != 100 || bob < acknowledged-1 {
			t.Errorf("cut at %d: %d and %d after %d commits", cut, ada, bob, acknowledged)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// transfers gives ada 100 and moves ten of them, one by one. It returns how many commits had
// returned before the power was cut.
func transfers(disk vfs.FS) (commits int64, err error) {
	db, err := siltstone.Open("data", &siltstone.Options{FS: disk})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.String("ada").Incr(100); err != nil {
		return 0, err
	}
	for commits = 1; commits <= 10; commits++ {
		if err := transfer(context.Background(), db, "ada", "bob", 1); err != nil {
			return commits, err
		}
	}
	return commits, nil
}

func balance(t *testing.T, db *siltstone.DB, name string) int64 {
	n, err := db.String(name).Incr(0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
