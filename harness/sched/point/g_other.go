//go:build !amd64

package point

import "runtime"

// goroutine returns the number of the calling goroutine, from the first line of its
// stack: "goroutine 42 [running]:".
func goroutine() (n uint64) {
	var b [40]byte
	s := b[:runtime.Stack(b[:], false)]
	for _, c := range s[len("goroutine "):] {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + uint64(c-'0')
	}
	return n
}
