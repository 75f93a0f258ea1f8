// Package jsonline writes JSON objects of one line whose fields keep their order, and in
// which any bytes can be told from any others.
//
//	{"key":"user:1","type":"string","value64":"/wA="}
//
// Bytes that are UTF-8 stand under their name as text. All others stand under the name
// with 64 behind it, in base64.
package jsonline

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// Object is a JSON object that is being written. The zero Object is ready. It belongs to
// one goroutine.
type Object struct {
	buf   []byte
	comma bool
}

// Reset empties the object and keeps its memory.
func (o *Object) Reset() { o.buf, o.comma = o.buf[:0], false }

// Line returns the object with a newline. The bytes are borrowed until the next call.
func (o *Object) Line() []byte {
	if len(o.buf) == 0 {
		return []byte("{}\n")
	}
	o.buf = append(o.buf, '}', '\n')
	return o.buf
}

// Len returns how many bytes were written so far.
func (o *Object) Len() int { return len(o.buf) }

func (o *Object) name(name, suffix string) {
	if len(o.buf) == 0 {
		o.buf = append(o.buf, '{')
	}
	if o.comma {
		o.buf = append(o.buf, ',')
	}
	o.comma = true
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, suffix...)
	o.buf = append(o.buf, '"', ':')
}

// Bytes writes b as text if it is UTF-8, and else in base64 under the name with 64
// behind it.
func (o *Object) Bytes(name string, b []byte) {
	if utf8.Valid(b) {
		o.name(name, "")
		o.buf = appendText(o.buf, b)
		return
	}
	o.Base64(name, b)
}

// Base64 writes b in base64 under the name with 64 behind it, be it text or not.
func (o *Object) Base64(name string, b []byte) {
	o.name(name, "64")
	o.buf = append(o.buf, '"')
	o.buf = base64.StdEncoding.AppendEncode(o.buf, b)
	o.buf = append(o.buf, '"')
}

// Text writes a string that is known to be UTF-8; what is not becomes U+FFFD.
func (o *Object) Text(name, s string) {
	o.name(name, "")
	o.buf = appendText(o.buf, []byte(s))
}

// Int writes a number.
func (o *Object) Int(name string, n int64) {
	o.name(name, "")
	o.buf = strconv.AppendInt(o.buf, n, 10)
}

// Uint writes a number that has no sign.
func (o *Object) Uint(name string, n uint64) {
	o.name(name, "")
	o.buf = strconv.AppendUint(o.buf, n, 10)
}

// Bool writes true or false.
func (o *Object) Bool(name string, v bool) {
	o.name(name, "")
	o.buf = strconv.AppendBool(o.buf, v)
}

// Float writes the shortest decimal number that is f when read again. JSON has no
// infinite numbers: these are the strings "inf" and "-inf".
func (o *Object) Float(name string, f float64) {
	o.name(name, "")
	switch {
	case math.IsInf(f, 1):
		o.buf = append(o.buf, `"inf"`...)
	case math.IsInf(f, -1):
		o.buf = append(o.buf, `"-inf"`...)
	default:
		o.buf = strconv.AppendFloat(o.buf, f, 'g', -1, 64)
	}
}

// Time writes a moment as milliseconds since 1970. The zero time is left out.
func (o *Object) Time(name string, t time.Time) {
	if !t.IsZero() {
		o.Int(name, t.UnixMilli())
	}
}

// Any writes v as encoding/json does; what that cannot encode is null.
func (o *Object) Any(name string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte("null")
	}
	o.name(name, "")
	o.buf = append(o.buf, b...)
}

// List begins a list, whose items Item begins and End ends.
func (o *Object) List(name string) {
	o.name(name, "")
	o.buf = append(o.buf, '[')
	o.comma = false
}

// Item begins an object in a list. Its fields are written next, and EndItem ends it.
func (o *Object) Item() {
	if o.comma {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, '{')
	o.comma = false
}

// EndItem ends the object that Item began.
func (o *Object) EndItem() {
	o.buf = append(o.buf, '}')
	o.comma = true
}

// End ends the list.
func (o *Object) End() {
	o.buf = append(o.buf, ']')
	o.comma = true
}

const hex = "0123456789abcdef"

// appendText appends b, which is UTF-8, as a JSON string. What a terminal would act upon
// or not show is escaped.
func appendText(dst, b []byte) []byte {
	dst = append(dst, '"')
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r < 0x20 || r >= 0x7f && r <= 0xffff && (!strconv.IsPrint(r) || r == utf8.RuneError && n == 1):
			dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			dst = append(dst, b[:n]...)
		}
		b = b[n:]
	}
	return append(dst, '"')
}
