//go:build amd64 || arm64

package prefetch

import "unsafe"

// Line asks for the line of 64 bytes that p points into. Any address is safe: one
// that is not mapped is ignored. It costs about two nanoseconds.
//
//go:noescape
func Line(p unsafe.Pointer)

// Bytes asks for every line that one of the n bytes from p on lies in.
//
//go:noescape
func Bytes(p unsafe.Pointer, n int)
