// Package prefetch asks the processor to bring a cache line, without waiting for
// it: what is going to be needed in a hundred nanoseconds is asked for now. An
// ordinary read would not do, for a lock taken meanwhile waits until it is done.
//
// On processors it does not know it does nothing.
package prefetch
