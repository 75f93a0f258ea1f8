package model

import (
	"slices"
	"testing"
)

func TestATapeComesBackFromItsText(t *testing.T) {
	for _, tape := range []Tape{nil, Random(1, 1), Random(2, 300)} {
		again, err := Parse(tape.String())
		if err != nil || !slices.Equal(again, tape) {
			t.Errorf("%v: %v, %v", tape, again, err)
		}
	}
	for _, text := range []string{"0", "xx", "00000000", "0000000000ff"} {
		if tape, err := Parse(text); err == nil {
			t.Errorf("%q is the tape %v", text, tape)
		}
	}
}
