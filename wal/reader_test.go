package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

// frameAt returns the index of the frame the byte at offset i belongs to, and
// −1 if it is the header's.
func frameAt(ends []int64, i int) int {
	k, found := slices.BinarySearch(ends, int64(i))
	if found {
		k++
	}
	return k - 1
}

var threeFrames = []struct {
	name  string
	steps []step
	// proven counts the frames that a later frame vouches for.
	proven int
}{
	{"synced after each", []step{"one", doSync, "two", doSync, "three"}, 2},
	{"synced once", []step{"one", doSync, "two", "three"}, 1},
	{"never synced", []step{"one", "two", "three"}, 0},
	{"finished", []step{"one", doSync, "two", doSync, "three", doSync, doFinish}, 3},
}

func TestTornTailIsToldFromDamage(t *testing.T) {
	payloads := []string{"one", "two", "three"}
	for _, c := range threeFrames {
		t.Run(c.name, func(t *testing.T) {
			data, ends := build(t, c.steps...)
			for i := range data {
				for _, mask := range []byte{0x01, 0x80, 0xFF} {
					bad := bytes.Clone(data)
					bad[i] ^= mask
					line, _, err := replay(bad)
					k := frameAt(ends, i)
					want := "corrupt at 0"
					if k >= 0 {
						want = fmt.Sprintf("torn at %d", ends[k])
						if k < c.proven {
							want = fmt.Sprintf("corrupt at %d", ends[k])
						}
						if whole := strings.Join(payloads[:min(k, 3)], " "); strings.TrimSpace(line) != whole {
							t.Errorf("byte %d: replayed %q, want %q", i, line, whole)
						}
					}
					if got := verdict(err); got != want {
						t.Fatalf("byte %d ^ %02x: %s, want %s (%v)", i, mask, got, want, err)
					}
				}
			}
		})
	}
}

func TestZeroedSectorBelowADurableMarkIsDamage(t *testing.T) {
	data, ends := build(t, "one", doSync, step(strings.Repeat("x", 1000)), doSync, "three")
	clear(data[ends[1]:ends[2]])
	_, _, err := replay(data)
	if got, want := verdict(err), fmt.Sprintf("corrupt at %d", ends[1]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLogCutAnywhereKeepsItsWholeFrames(t *testing.T) {
	for _, c := range threeFrames {
		data, ends := build(t, c.steps...)
		for n := range len(data) + 1 {
			for _, padding := range []int{0, 1, 700} { // as a preallocated file has
				cut := append(bytes.Clone(data[:n]), make([]byte, padding)...)
				line, r, err := replay(cut)
				if n < HeaderSize && bytes.Count(data[n:HeaderSize], []byte{0}) < min(HeaderSize-n, padding) {
					if !errors.Is(err, ErrNoHeader) {
						t.Fatalf("%s, cut at %d: %v, want no header", c.name, n, err)
					}
					continue
				}
				if r == nil {
					continue
				}
				last := ends[max(0, frameAt(ends, n))]
				whole := frameAt(ends, n)
				want := []string{"", "one ", "one two ", "one two three ", "one two three "}[whole]
				got := verdict(err)
				if line != want || r.End() != last || r.Complete() != (whole == 4) {
					t.Fatalf("%s, cut at %d+%d: replayed %q to %d, want %q to %d", c.name, n, padding, line, r.End(), want, last)
				}
				if got != "end" && got != fmt.Sprintf("torn at %d", last) {
					t.Fatalf("%s, cut at %d+%d: %s", c.name, n, padding, got)
				}
				if got == "end" && len(bytes.TrimRight(cut[last:], "\x00")) > 0 {
					t.Fatalf("%s, cut at %d+%d: called a clean end", c.name, n, padding)
				}
			}
		}
	}
}

func TestTornTailSaysHowManyBytesAreLost(t *testing.T) {
	data, ends := build(t, "one", "two")
	data[ends[1]+FrameHeaderSize]++
	_, _, err := replay(append(data, make([]byte, 5000)...))
	var torn *TornError
	if !errors.As(err, &torn) || !errors.Is(err, ErrTorn) {
		t.Fatal(err)
	}
	if torn.File != "000012.wal" || torn.Offset != ends[1] || torn.Bytes != ends[2]-ends[1] {
		t.Errorf("got %+v, want %d bytes at %d", torn, ends[2]-ends[1], ends[1])
	}
}

func TestFileWithoutAHeaderIsNoLog(t *testing.T) {
	data, ends := build(t, "one", doSync, "two")
	header := data[:HeaderSize]
	torn := append(bytes.Clone(header[:100]), make([]byte, 28)...)
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "no header"},
		{"zeros", make([]byte, 5000), "no header"},
		{"many zeros", make([]byte, 1<<20), "no header"},
		{"cut header", header[:127], "no header"},
		{"torn header", torn, "no header"},
		{"torn header, zeros", append(bytes.Clone(torn), make([]byte, 4096)...), "no header"},
		{"header alone", header, "end"},
		{"header, zeros", append(bytes.Clone(header), make([]byte, 4096)...), "end"},
		{"torn header, frames", append(bytes.Clone(torn), data[HeaderSize:]...), "corrupt at 0"},
		{"torn header, damage, frame", append(append(bytes.Clone(torn), make([]byte, ends[1]-ends[0])...), data[ends[1]:]...), "corrupt at 0"},
		{"no header, frame elsewhere", append(make([]byte, 200), data[HeaderSize:]...), "no header"},
		{"text", []byte(strings.Repeat("not a log at all ", 100)), "no header"},
	} {
		if _, _, err := replay(c.file); verdict(err) != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, verdict(err), c.want, err)
		}
	}
}

func TestFrameFarBehindABadHeaderIsFound(t *testing.T) {
	sizes := []int{4096, 300 << 10}
	for size := range 2 * len(zeros) { // a run of zeros may end anywhere
		sizes = append(sizes, size)
	}
	for _, size := range sizes {
		data, ends := build(t, step(strings.Repeat("y", size)), "z")
		clear(data[:ends[1]])
		if _, _, err := replay(data); verdict(err) != "corrupt at 0" {
			t.Errorf("frame at %d: %v", ends[1], err)
		}
	}
}

func TestLogBytesInsideAValueAreNotALaterFrame(t *testing.T) {
	inner, _ := build(t, "one", doSync, "two", doSync, "three", doSync, doFinish)
	for shift := range 9 {
		// The value is a backup of this very log; the frame that holds it is torn
		// in its first payload byte, so that nothing of it verifies.
		value := strings.Repeat("-", shift+1) + string(inner)
		data, ends := build(t, "one", doSync, step(value))
		data[ends[1]+FrameHeaderSize] ^= 1
		line, _, err := replay(data)
		if want := fmt.Sprintf("torn at %d", ends[1]); verdict(err) != want || line != "one " {
			t.Fatalf("shift %d: %s after %q, want %s", shift, verdict(err), line, want)
		}
	}
}

func TestFramesOfAnotherLogProveNothing(t *testing.T) {
	data, ends := build(t, "one", doSync, "two", doSync, "three")
	f := &memFile{}
	other := testHeader
	other.LogID++
	w := NewWriter(f, other)
	must(t, w.Start())
	for _, p := range []string{"one", "two", "three"} {
		must(t, w.Append(Frame{First: w.LastSeq() + 1, Count: 2}, []byte(p)))
		must(t, w.Sync())
	}
	mixed := append(bytes.Clone(data[:ends[1]]), f.data[ends[1]:]...)
	if _, _, err := replay(mixed); verdict(err) != fmt.Sprintf("torn at %d", ends[1]) {
		t.Error(err)
	}
}

func TestPayloadOfAnotherFrameDoesNotVerify(t *testing.T) {
	data, ends := build(t, "same length", "other bytes", "more")
	copy(data[ends[0]+FrameHeaderSize:ends[1]], data[ends[1]+FrameHeaderSize:ends[2]])
	// The plain hash now belongs to the other payload as well.
	copy(data[ends[0]+payloadSumAt:], data[ends[1]+payloadSumAt:ends[1]+headSumAt])
	if line, _, err := replay(data); line != "" || verdict(err) != fmt.Sprintf("torn at %d", ends[0]) {
		t.Errorf("replayed %q: %v", line, err)
	}
}

func TestSequencesMustRise(t *testing.T) {
	data, ends := build(t, "one", "two", "three")
	var h [FrameHeaderSize]byte
	f := &memFile{data: bytes.Clone(data[:ends[1]])}
	w := NewFrameWriter(f, testHeader.LogID, ends[1], 0) // takes the sequences of the first frame again
	must(t, w.Append(Frame{First: 41, Count: 1}, h[:]))
	if line, _, err := replay(f.data); line != "one " || verdict(err) != fmt.Sprintf("corrupt at %d", ends[1]) {
		t.Errorf("replayed %q: %v", line, err)
	}
}

// No cut makes such a trailer, so that it is no torn tail though nothing follows.
func TestTrailerThatDoesNotMatchTheFramesIsDamage(t *testing.T) {
	data, ends := build(t, "one", "two", doFinish)
	f := &memFile{data: bytes.Clone(data[:ends[1]])}
	w := NewFrameWriter(f, testHeader.LogID, ends[1], 900)
	must(t, w.Finish(1))
	if line, _, err := replay(f.data); line != "one " || verdict(err) != fmt.Sprintf("corrupt at %d", ends[1]) {
		t.Errorf("replayed %q: %v", line, err)
	}
}

// TestProofIsFoundAtAnyPlace lets the header that proves the damage stand at
// every place around the edge of a search's window.
func TestProofIsFoundAtAnyPlace(t *testing.T) {
	for shift := range 2*FrameHeaderSize + 8 {
		fill := readAhead - FrameHeaderSize - shift // behind the first frame
		data, ends := build(t, "one", step(strings.Repeat("v", fill)), doSync, "three")
		data[ends[0]+FrameHeaderSize] ^= 1
		_, _, err := replay(data)
		if verdict(err) != fmt.Sprintf("corrupt at %d", ends[0]) {
			t.Fatalf("proof at %d: %v", ends[2], err)
		}
	}
}

// faultyReader fails every read that touches the byte at offset at.
type faultyReader struct {
	r  io.ReaderAt
	at int64
}

func (f faultyReader) ReadAt(p []byte, off int64) (int, error) {
	if off <= f.at && f.at < off+int64(len(p)) {
		n, _ := f.r.ReadAt(p[:f.at-off], off)
		return n, errInjected
	}
	return f.r.ReadAt(p, off)
}

func TestReadErrorIsNotTheEndOfTheLog(t *testing.T) {
	data, _ := build(t, "one", "two", "three")
	for name, file := range map[string][]byte{
		"whole":     data,
		"torn":      append(bytes.Clone(data), 1, 2, 3),
		"no header": append(make([]byte, 10), data...),
	} {
		for i := range file {
			r, err := Open(faultyReader{bytes.NewReader(file), int64(i)}, int64(len(file)), "log")
			for err == nil {
				_, _, err = r.Next()
			}
			if !errors.Is(err, errInjected) {
				t.Fatalf("%s: unreadable byte %d gives %v", name, i, err)
			}
		}
	}
}

func TestFileShorterThanToldIsAReadError(t *testing.T) {
	data, _ := build(t, "one", "two")
	r, err := Open(bytes.NewReader(data), int64(len(data))+1000, "log")
	for err == nil {
		_, _, err = r.Next()
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestNewerFormatIsNamed(t *testing.T) {
	data, _ := build(t, "one")
	data[versionAt] = 7
	h := fixHeader(data)
	_, _, err := replay(h)
	if !errors.Is(err, base.ErrFormatTooNew) || !strings.Contains(err.Error(), "7") {
		t.Errorf("got %v", err)
	}
}

func TestHeaderThatContradictsItselfIsDamage(t *testing.T) {
	for _, at := range []int{12, reservedAt, headerSumAt - 1, 56, 72, 47} {
		data, _ := build(t, "one")
		data[at] = 0xFF
		if _, _, err := replay(fixHeader(data)); verdict(err) != "corrupt at 0" {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

func TestClaimedLengthIsNotAllocated(t *testing.T) {
	data, ends := build(t, "one")
	h := frameHeader{kind: kindData, seq: 99, offset: ends[1], id: testHeader.LogID, length: 1 << 60, count: 1}
	var b [FrameHeaderSize]byte
	h.put(b[:], 0)
	data = append(data, b[:]...)
	allocs := testing.AllocsPerRun(1, func() {
		if _, _, err := replay(data); verdict(err) != fmt.Sprintf("torn at %d", ends[1]) {
			t.Error(err)
		}
	})
	if allocs > 100 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkReplay(b *testing.B) {
	f := &memFile{}
	w := NewWriter(f, testHeader)
	must(b, w.Start())
	p := make([]byte, 1000)
	for range 8000 {
		must(b, w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, p))
	}
	b.SetBytes(int64(len(f.data)))
	for b.Loop() {
		if _, _, err := countFrames(f.data); err != io.EOF {
			b.Fatal(err)
		}
	}
}

func BenchmarkSearchZeros(b *testing.B) {
	data := make([]byte, 64<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Open(bytes.NewReader(data), int64(len(data)), "log"); err != ErrNoHeader {
			b.Fatal(err)
		}
	}
}

func countFrames(data []byte) (n int, r *Reader, err error) {
	r, err = Open(bytes.NewReader(data), int64(len(data)), "log")
	for err == nil {
		_, _, err = r.Next()
		n++
	}
	return n, r, err
}

func TestAReaderGoesOnWithTheMemoryOfTheOneBeforeIt(t *testing.T) {
	data, _ := build(t, step(strings.Repeat("x", 1<<20)), doSync, "two", doSync)
	open := func() *Reader {
		r, err := Open(bytes.NewReader(data), int64(len(data)), "log")
		must(t, err)
		return r
	}
	first, second := open(), open()
	frames := func(r *Reader) (line string) {
		for {
			_, payload, err := r.Next()
			if err != nil {
				return line
			}
			line += fmt.Sprint(len(payload), " ")
		}
	}
	want := frames(first)
	memory := cap(first.file.buf)
	second.Adopt(&first.FrameReader)
	if first.file.buf != nil || cap(second.file.buf) != memory {
		t.Errorf("the second reader has %d bytes, the first had %d", cap(second.file.buf), memory)
	}
	if got := frames(second); got != want {
		t.Errorf("it reads frames of %sbytes, want %s", got, want)
	}
	if cap(second.file.buf) != memory {
		t.Errorf("its memory grew from %d to %d", memory, cap(second.file.buf))
	}
	third := open()
	own := cap(third.file.buf)
	second.Adopt(&third.FrameReader)
	if third.file.buf == nil || cap(third.file.buf) != own {
		t.Error("a reader took less memory than it has")
	}
}
