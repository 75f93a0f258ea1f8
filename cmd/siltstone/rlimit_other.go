//go:build !unix

package main

// openFilesLimit knows no limit on this system.
func openFilesLimit() (uint64, bool) { return 0, false }
