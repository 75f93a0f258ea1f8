package vfstest_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// save replaces the file "config" by a new content. It forgets to sync it.
func save(fsys vfs.FS, content string) error {
	f, err := fsys.Create("config.tmp")
	if err != nil {
		return err
	}
	if _, err := io.WriteString(f, content); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := fsys.Rename("config.tmp", "config"); err != nil {
		return err
	}
	return fsys.SyncDir(".")
}

func load(fsys vfs.FS) string {
	f, err := fsys.Open("config")
	if err != nil {
		return "no file"
	}
	defer f.Close()
	content, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%q", content)
}

// A power cut is tried at every operation. The program under test lost the
// content: its name was synced, its bytes were not.
func ExampleDisk_OnOp() {
	disk := vfstest.NewDisk(1)
	rng := rand.New(rand.NewPCG(1, 1))
	found := func(op string) {
		seen := map[string]bool{}
		for image := range disk.Images(vfstest.P3, 100, rng) {
			if content := load(image); !seen[content] {
				seen[content] = true
				fmt.Printf("%-28s %s\n", op, content)
			}
		}
	}
	disk.OnOp(func(op vfstest.Op) { found("before " + op.String()) })
	if err := save(disk, "new"); err != nil {
		fmt.Println(err)
	}
	found("at the end")
	// Output:
	// before 1 create config.tmp   no file
	// before 2 write config.tmp 0+3 no file
	// before 3 rename config.tmp config no file
	// before 4 syncdir .           no file
	// before 4 syncdir .           ""
	// before 4 syncdir .           "new"
	// at the end                   ""
	// at the end                   "new"
}

func ExampleDisk_CutAt() {
	disk := vfstest.NewDisk(1)
	disk.CutAt(3)
	err := save(disk, "new")
	fmt.Println(errors.Is(err, vfstest.ErrPowerCut), disk.Ops())
	fmt.Println(load(disk.Image(vfstest.P0, nil)))
	// Output:
	// true 2
	// no file
}

// Every call of the program fails once.
func ExampleFaults() {
	counting := vfstest.NewFaults(vfs.NewMem())
	if err := save(counting, "x"); err != nil {
		fmt.Println(err)
	}
	for n := int64(1); n <= counting.Ops(); n++ {
		faults := vfstest.NewFaults(vfs.NewMem())
		faults.Inject(vfstest.Fault{Nth: n, Err: vfs.ErrNoSpace})
		err := save(faults, "x")
		fmt.Println(errors.Is(err, vfstest.ErrInjected), vfs.IsNoSpace(err), len(faults.OpenFiles()), err)
	}
	// Output:
	// true true 0 create config.tmp: vfstest: injected fault: no space left on device
	// true true 0 write config.tmp: vfstest: injected fault: no space left on device
	// true true 0 close config.tmp: vfstest: injected fault: no space left on device
	// true true 0 rename config.tmp: vfstest: injected fault: no space left on device
	// true true 0 syncdir .: vfstest: injected fault: no space left on device
}
