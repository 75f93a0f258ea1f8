package commitlog

import (
	"errors"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// Somebody takes a prepared log, and is done with it, while space is reserved for it.
func TestALogThatIsTakenWhileItGrowsFailsNobody(t *testing.T) {
	faults := vfstest.NewFaults(vfs.NewMem())
	dir := storedir.Dir{FS: faults, Path: "db"}
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	number := base.FileNum(0)
	p := NewPrepared(dir, func() (base.FileNum, error) { number++; return number, nil }, func(base.FileNum) {})
	defer p.Close()
	if err := p.Make(2, 0); err != nil {
		t.Fatal(err)
	}
	var taken []Segment
	faults.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Allocate && len(taken) == 0 {
			taken = append(taken, p.Take(), p.Take())
		}
	})
	gone := errors.New("file already closed")
	faults.Inject(vfstest.Fault{Match: vfstest.On(vfstest.Allocate), Times: 1, Err: gone})
	if err := p.Make(2, 10*firstReserve); err != nil {
		t.Error(err)
	}
	if len(taken) != 2 || !p.Ready(2, 10*firstReserve) {
		t.Error("nobody took a log, or none are ready")
	}
	faults.OnOp(nil)
	faults.Inject(vfstest.Fault{Match: vfstest.On(vfstest.Allocate), Times: 1, Err: gone})
	if err := p.Make(2, 20*firstReserve); !errors.Is(err, gone) {
		t.Errorf("%v, of a log that is there", err)
	}
	for _, s := range taken {
		s.Closer.Close()
	}
}
