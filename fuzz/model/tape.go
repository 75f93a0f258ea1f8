package model

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
)

// Op is one entry of a tape: what to do, and the seed of every choice in it.
type Op struct {
	Kind uint8
	Seed uint32
}

// Tape is a list of operations. Any part of it is a Tape too.
type Tape []Op

// opBytes is how many bytes of a fuzz input make an operation.
const opBytes = 3

// FromBytes reads a tape from fuzz input: one byte of kind and two of seed for
// each operation.
func FromBytes(b []byte) Tape {
	var t Tape
	for ; len(b) >= opBytes; b = b[opBytes:] {
		t = append(t, Op{Kind: b[0], Seed: uint32(b[1]) | uint32(b[2])<<8})
	}
	return t
}

// Bytes is the reverse of FromBytes for tapes of small seeds.
func (t Tape) Bytes() []byte {
	b := make([]byte, 0, opBytes*len(t))
	for _, o := range t {
		b = append(b, o.Kind, byte(o.Seed), byte(o.Seed>>8))
	}
	return b
}

// textBytes is how many bytes of a tape's text make an operation.
const textBytes = 5

// String returns the tape as one word, for Parse.
func (t Tape) String() string {
	b := make([]byte, 0, textBytes*len(t))
	for _, o := range t {
		b = binary.BigEndian.AppendUint32(append(b, o.Kind), o.Seed)
	}
	return hex.EncodeToString(b)
}

// Parse reads what String has written.
func Parse(text string) (Tape, error) {
	b, err := hex.DecodeString(text)
	if err == nil && len(b)%textBytes > 0 {
		err = fmt.Errorf("%d bytes are no whole operations of %d", len(b), textBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("a tape: %w", err)
	}
	var t Tape
	for ; len(b) > 0; b = b[textBytes:] {
		t = append(t, Op{Kind: b[0], Seed: binary.BigEndian.Uint32(b[1:])})
	}
	return t, nil
}

// Random returns n operations drawn from seed.
func Random(seed uint64, n int) Tape {
	rng := rand.New(rand.NewPCG(seed, 1))
	t := make(Tape, n)
	for i := range t {
		t[i] = Op{Kind: uint8(rng.Uint32()), Seed: rng.Uint32()}
	}
	return t
}

// Shorten leaves out operations of a failing tape, larger pieces first, as long
// as it still fails, and returns what is left.
func (t Tape) Shorten(fails func(Tape) bool) Tape {
	for n := len(t) / 2; n > 0; n /= 2 {
		for at := 0; at+n <= len(t); {
			shorter := append(append(Tape{}, t[:at]...), t[at+n:]...)
			if fails(shorter) {
				t = shorter
			} else {
				at += n
			}
		}
	}
	return t
}
