package jsonline

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAnyBytesAreReadAgainAsTheyWere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20000 {
		b := make([]byte, r.IntN(12))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		if i%2 == 0 {
			b = []byte(string([]rune{rune(r.IntN(0x20)), rune(r.IntN(0x300)), rune(r.IntN(utf8.MaxRune))}))
		}
		var o Object
		o.Bytes("k", b)
		line := o.Line()
		var got map[string]string
		if err := json.Unmarshal(line, &got); err != nil || len(got) != 1 {
			t.Fatalf("%q: %s: %v", b, line, err)
		}
		back := got["k"]
		if text, ok := got["k64"]; ok {
			raw, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			back = string(raw)
		}
		if back != string(b) {
			t.Fatalf("%q became %s, which is %q", b, line, back)
		}
	}
}

func TestNothingThatATerminalObeysIsWritten(t *testing.T) {
	var o Object
	o.Bytes("k", []byte("\x1b[2J\u009b31m\u202eabc\x7f\u2028"))
	if got := string(o.Line()); strings.ContainsAny(got, "\x1b\u009b\u202e\x7f\u2028") {
		t.Errorf("%q", got)
	}
}

func TestAnObjectKeepsTheOrderOfItsFields(t *testing.T) {
	var o Object
	o.Text("z", "1")
	o.List("items")
	for i := range 2 {
		o.Item()
		o.Int("n", int64(i))
		o.Float("f", math.Inf(1-2*i))
		o.EndItem()
	}
	o.End()
	o.Bool("a", true)
	o.Float("s", 0.1)
	want := `{"z":"1","items":[{"n":0,"f":"inf"},{"n":1,"f":"-inf"}],"a":true,"s":0.1}` + "\n"
	if got := string(o.Line()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	o.Reset()
	if got := string(o.Line()); got != "{}\n" {
		t.Errorf("an empty object is %q", got)
	}
}
