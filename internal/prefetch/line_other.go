//go:build !amd64 && !arm64

package prefetch

import "unsafe"

// At does nothing on this processor.
func At(uintptr, int) {}

// Line does nothing on this processor.
func Line(unsafe.Pointer) {}
