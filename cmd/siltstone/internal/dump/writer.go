// Package dump is the format of siltstone dump: lines of JSON that hold all of a store.
//
//	{"siltstone_dump":1,"created":1893456000000}
//	{"key":"user:1","type":"string","value":"Ada","expires":1893459600000}
//	{"key":"h","type":"hash","fields":[{"field":"n","value":"1"},{"field64":"/w==","value":"","expires":1893459600000}]}
//	{"key":"s","type":"set","members":[{"member":"a"}]}
//	{"key":"z","type":"zset","members":[{"member":"a","score":"-inf"},{"member":"b","score":0.1}]}
//	{"key":"l","type":"list","items":[{"item":"first"},{"item":"second"}]}
//	{"key":"l","type":"list","part":2,"items":[{"item":"third"}]}
//	{"keyspace":"tenant"}
//	{"key":"user:1","type":"string","value":"Bob"}
//	{"end":true,"keyspaces":1,"keys":6,"elements":8,"sha256":"…"}
//
// Bytes that are UTF-8 stand as text, others in base64 under the name with 64 behind it.
// Moments are milliseconds since 1970. A line with a keyspace alone says where the keys
// behind it belong; before the first one it is the default keyspace. A large collection
// has several lines, one behind the other. The last line has the SHA-256 of all bytes
// before it: a dump without it was cut short. The package imports internal/entry and
// internal/jsonline of the tool.
package dump

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"time"

	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/jsonline"
	"github.com/siltstonedb/siltstone/typed"
)

// version is that of the format.
const version = 1

// textMax is the longest value that is written as text: escapes take up to six bytes for
// one, base64 four for three, and a line has a bound.
const textMax = 1 << 20

// Writer writes a dump. It belongs to one goroutine.
type Writer struct {
	Keyspaces, Keys, Elements int64

	w    *bufio.Writer
	sum  hash.Hash
	line jsonline.Object
	err  error
}

// NewWriter returns a writer whose first line says when the dump was made.
func NewWriter(w io.Writer, created time.Time) *Writer {
	d := &Writer{w: bufio.NewWriterSize(w, 256<<10), sum: sha256.New()}
	d.line.Int("siltstone_dump", version)
	d.line.Time("created", created)
	d.write()
	return d
}

// write writes the line and begins another. The first error stays.
func (d *Writer) write() {
	b := d.line.Line()
	d.sum.Write(b)
	if d.err == nil {
		_, d.err = d.w.Write(b)
	}
	d.line.Reset()
}

func (d *Writer) bytes(name string, b []byte) {
	if len(b) > textMax {
		d.line.Base64(name, b)
		return
	}
	d.line.Bytes(name, b)
}

// Write writes an entry.
func (d *Writer) Write(e *entry.Entry) error {
	if e.Key == nil {
		d.Keyspaces++
		d.line.Bytes("keyspace", []byte(e.Keyspace))
		d.write()
		return d.err
	}
	d.line.Bytes("key", e.Key)
	d.line.Text("type", e.Type.String())
	if e.Part > 1 {
		d.line.Int("part", int64(e.Part))
	} else {
		d.Keys++
	}
	d.line.Time("expires", e.Expires)
	if e.Type == typed.TypeString {
		d.bytes("value", e.Value)
	} else {
		d.elements(e)
	}
	d.write()
	return d.err
}

// names are those of the list of elements and of one element, by type.
func names(t typed.Type) (list, element string) {
	switch t {
	case typed.TypeHash:
		return "fields", "field"
	case typed.TypeList:
		return "items", "item"
	}
	return "members", "member"
}

func (d *Writer) elements(e *entry.Entry) {
	list, element := names(e.Type)
	d.line.List(list)
	for i := range e.Elements {
		v := &e.Elements[i]
		d.line.Item()
		if e.Type == typed.TypeList {
			d.bytes(element, v.Value)
		} else {
			d.line.Bytes(element, []byte(v.Name))
		}
		switch e.Type {
		case typed.TypeHash:
			d.bytes("value", v.Value)
		case typed.TypeZSet:
			d.line.Float("score", v.Score)
		}
		d.line.Time("expires", v.Expires)
		d.line.EndItem()
	}
	d.line.End()
	d.Elements += int64(len(e.Elements))
}

// Close writes the last line.
func (d *Writer) Close() error {
	d.line.Bool("end", true)
	d.line.Int("keyspaces", d.Keyspaces)
	d.line.Int("keys", d.Keys)
	d.line.Int("elements", d.Elements)
	d.line.Text("sha256", hex.EncodeToString(d.sum.Sum(nil)))
	d.write()
	if d.err != nil {
		return d.err
	}
	return d.w.Flush()
}
