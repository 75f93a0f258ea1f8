package prefetch

import (
	"testing"
	"unsafe"
)

func TestAnyAddressMayBeAskedFor(t *testing.T) {
	var x [128]byte
	Line(unsafe.Pointer(&x[77]))
	Line(nil)
	Bytes(unsafe.Pointer(&x[77]), 1000)
	Bytes(unsafe.Pointer(&x[1]), 0)
	Bytes(nil, 1)
}

func BenchmarkLine(b *testing.B) {
	var x [1 << 10]byte
	for i := range b.N {
		Line(unsafe.Pointer(&x[i&1023]))
	}
}
