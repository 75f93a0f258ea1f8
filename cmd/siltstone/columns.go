package main

import "unicode"

// wide are the characters that take two columns of a terminal: the scripts of East Asia,
// their full-width forms, and pictures.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xa960, Hi: 0xa97f, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1},
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff01, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x16fe0, Hi: 0x1b2ff, Stride: 1}, {Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, {Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1},
		{Lo: 0x1f900, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

// columnsOf returns how many columns of a terminal a character takes. A mark that stands
// over the one before takes none.
func columnsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// textWidth returns how many columns of a terminal text takes.
func textWidth(text string) (n int) {
	for _, r := range text {
		n += columnsOf(r)
	}
	return n
}

// cut returns what of text fits into width columns, with an ellipsis if some is left out.
// Width 0 has no bound.
func cut(text string, width int) string {
	if width <= 0 || textWidth(text) <= width {
		return text
	}
	at := 0
	for i, r := range text {
		if at += columnsOf(r); at >= width {
			return text[:i] + "…"
		}
	}
	return text
}
