// Package load is what the programs that fill a store have in common: how many
// keys of which size go into which directory, and what keys and values look like.
package load

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
)

// Settings say what is loaded. Flags sets them.
type Settings struct {
	Keys, ValueSize uint64
	Dir             string
}

// Flags declares the flags of the settings.
func (s *Settings) Flags() {
	flag.Uint64Var(&s.Keys, "n", 10_000_000, "keys to load")
	flag.Uint64Var(&s.ValueSize, "value", 128, "bytes of a value")
	flag.StringVar(&s.Dir, "dir", "", "directory of the store; a temporary one if empty")
}

// Main runs a program in the directory of the settings, and ends the process if it
// fails. A temporary directory is removed again.
func (s *Settings) Main(program string, run func() error) {
	if err := s.run(program, run); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
		os.Exit(1)
	}
}

func (s *Settings) run(program string, run func() error) error {
	if s.Dir == "" {
		dir, err := os.MkdirTemp("", "siltstone-"+program)
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.Dir = dir
	}
	return run()
}

// Key appends key i to dst, emptied. Keys are spread over the key space.
func Key(dst []byte, i uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst[:0], "load-key"...), i*0x9E3779B97F4A7C15)
}

// Value appends the value of key i to dst, emptied. It says which key it belongs
// to; half of it compresses.
func (s *Settings) Value(dst []byte, i uint64) []byte {
	dst = binary.BigEndian.AppendUint64(dst[:0], i)
	for x := i; uint64(len(dst)) < s.ValueSize/2; {
		x = x*6364136223846793005 + 1442695040888963407
		dst = binary.BigEndian.AppendUint64(dst, x)
	}
	return append(dst, make([]byte, s.ValueSize-min(s.ValueSize, uint64(len(dst))))...)
}
