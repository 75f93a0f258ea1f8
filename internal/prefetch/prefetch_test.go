package prefetch

import (
	"testing"
	"unsafe"
)

func TestAnyAddressMayBeAskedFor(t *testing.T) {
	var x [128]byte
	Line(unsafe.Pointer(&x[77]))
	Line(nil)
	At(uintptr(unsafe.Pointer(&x[77])), 1000)
	At(^uintptr(0)-500, 100)
	At(0, 0)
	At(uintptr(unsafe.Pointer(&x[1])), 0)
}

func BenchmarkLine(b *testing.B) {
	var x [1 << 10]byte
	for i := range b.N {
		Line(unsafe.Pointer(&x[i&1023]))
	}
}
