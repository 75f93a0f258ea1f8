//go:build amd64 || arm64

package prefetch

import "unsafe"

// At asks for every line that one of the n bytes from an address on lies in. The
// address is a number that may have been a pointer once: what lay there may be
// gone.
func At(address uintptr, n int)

// Line asks for the line of 64 bytes that p points into. Any address is safe: one
// that is not mapped is ignored. It costs about two nanoseconds.
//
//go:noescape
func Line(p unsafe.Pointer)
