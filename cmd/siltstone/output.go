package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/jsonline"
	"golang.org/x/term"
)

// byteFormat is how keys and values are shown.
type byteFormat string

const (
	formatQuoted byteFormat = "quoted" // plain words as they are, all else as a Go string literal
	formatRaw    byteFormat = "raw"    // the bytes themselves
	formatHex    byteFormat = "hex"    // two digits a byte
)

// Set implements pflag.Value.
func (f *byteFormat) Set(s string) error {
	switch byteFormat(s) {
	case formatQuoted, formatRaw, formatHex:
		*f = byteFormat(s)
		return nil
	}
	return fmt.Errorf("%q is none of quoted, raw, hex", s)
}

func (f *byteFormat) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *byteFormat) Type() string { return "quoted|raw|hex" }

// show returns b in the format.
func (f byteFormat) show(b []byte) string {
	switch f {
	case formatRaw:
		return string(b)
	case formatHex:
		return hex.EncodeToString(b)
	}
	if plain(b) {
		return string(b)
	}
	return strconv.Quote(string(b))
}

// plain reports whether b is a word that can be shown as it is: it is printed, has no space
// and no quote in it, and nobody could take it for something else.
func plain(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError || r == ' ' || r == '"' || r == '\\' || !strconv.IsPrint(r) {
			return false
		}
		b = b[n:]
	}
	return true
}

// safe returns text without what a terminal would act upon.
func safe(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || strconv.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}

// output is standard output, and what is known of it.
type output struct {
	*bufio.Writer
	ctx   context.Context // once it has ended no more lines are written
	width int             // columns of the terminal; 0: it is none
	line  jsonline.Object
}

func newOutput(w io.Writer) *output {
	return &output{Writer: bufio.NewWriterSize(w, 64<<10), ctx: context.Background(), width: terminalWidth(w)}
}

// terminalWidth returns the columns of the terminal that w is, 0 if it is none.
func terminalWidth(w any) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		return 80
	}
	return width
}

// object begins a JSON object, which write writes.
func (o *output) object() *jsonline.Object {
	o.line.Reset()
	return &o.line
}

// write writes the object that object returned.
func (o *output) write() error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	_, err := o.Write(o.line.Line())
	return err
}

// printf writes text.
func (o *output) printf(format string, args ...any) {
	fmt.Fprintf(o.Writer, format, args...)
}

// row writes columns as one line of a loop that cannot know how wide later ones are. On a
// terminal each column but the last is padded to its width and the line is cut at the
// terminal's edge; elsewhere tabs stand between the columns and nothing is cut, nor is a
// single column, which somebody may want to copy. After an interrupt it is the error of that.
func (o *output) row(widths []int, columns ...string) error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	if o.width == 0 || len(columns) == 1 {
		_, err := o.WriteString(strings.Join(columns, "\t") + "\n")
		return err
	}
	var b strings.Builder
	for i, c := range columns {
		b.WriteString(c)
		if i < len(columns)-1 {
			b.WriteString(strings.Repeat(" ", max(0, widths[i]-textWidth(c))+2))
		}
	}
	_, err := o.WriteString(cut(b.String(), o.width) + "\n")
	return err
}

// table is rows whose columns are aligned. The columns that right names stand to the right.
type table struct {
	right []int
	rows  [][]string
}

func (t *table) add(columns ...string) { t.rows = append(t.rows, columns) }

// table writes the rows with two spaces between columns, each line cut at the terminal's
// edge.
func (o *output) table(t table) {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 || len(t.right) > 0 {
				widths[i] = max(widths[i], textWidth(c))
			}
		}
	}
	for _, row := range t.rows {
		var b strings.Builder
		for i, c := range row {
			pad := strings.Repeat(" ", max(0, widths[i]-textWidth(c)))
			if i > 0 {
				b.WriteString("  ")
			}
			if slices.Contains(t.right, i) {
				b.WriteString(pad + c)
			} else {
				b.WriteString(c + pad)
			}
		}
		o.printf("%s\n", cut(strings.TrimRight(b.String(), " "), o.width))
	}
}

// showSafe is show for messages, which are never raw.
func (f byteFormat) showSafe(b []byte) string {
	if f == formatRaw {
		f = formatQuoted
	}
	return f.show(b)
}
