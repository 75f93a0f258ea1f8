package dump

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/siltstonedb/siltstone/typed"
)

// ErrDamaged is the error of a dump that was cut short or changed.
var ErrDamaged = errors.New("the dump is damaged")

// maxLine is the longest line that is read: a value of 1 GiB in base64 and some room.
const maxLine = 1500 << 20

// Reader reads a dump. It belongs to one goroutine.
type Reader struct {
	r         *bufio.Reader
	sum       hash.Hash
	line      int64 // number of the last line read
	buf       []byte
	keyspace  string
	keyspaces int64
	keys      int64
	elements  int64
	last      entry.Entry // key, type and part of the last entry
	err       error
}

// NewReader returns a reader of the dump in r. Its first line is read: an error says that r
// is no dump, or one of a later version.
func NewReader(r io.Reader) (*Reader, error) {
	d := &Reader{r: bufio.NewReaderSize(r, 256<<10), sum: sha256.New()}
	b, err := d.next()
	if err == io.EOF {
		return nil, fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	var head struct {
		Dump *int `json:"siltstone_dump"`
	}
	switch err := json.Unmarshal(b, &head); {
	case err != nil || head.Dump == nil:
		return nil, errors.New("this is no dump: its first line is not {\"siltstone_dump\":1,…}")
	case *head.Dump != version:
		return nil, fmt.Errorf("the dump has version %d, and this tool knows version %d", *head.Dump, version)
	}
	d.sum.Write(b)
	return d, nil
}

// Line returns the number of the line that was read last.
func (d *Reader) Line() int64 { return d.line }

// next reads a line, with its newline. The bytes are borrowed until the next call.
func (d *Reader) next() ([]byte, error) {
	d.buf = d.buf[:0]
	for {
		part, err := d.r.ReadSlice('\n')
		d.buf = append(d.buf, part...)
		if len(d.buf) > maxLine {
			return nil, fmt.Errorf("line %d: %w: it is longer than any that dump writes", d.line+1, ErrDamaged)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(d.buf) > 0:
			return nil, fmt.Errorf("line %d: %w: it was cut short in this line", d.line+1, ErrDamaged)
		case err != nil:
			return nil, err
		}
		d.line++
		return d.buf, nil
	}
}

// text is bytes in one of the two forms.
type text struct {
	plain, coded *string
	name         string
}

// bytes returns them; ok is false if there are none.
func (t text) bytes() (b []byte, ok bool, err error) {
	switch {
	case t.plain != nil && t.coded != nil:
		return nil, false, fmt.Errorf("%s and %s64 are both there", t.name, t.name)
	case t.plain != nil:
		return []byte(*t.plain), true, nil
	case t.coded != nil:
		b, err = base64.StdEncoding.DecodeString(*t.coded)
		if b == nil {
			b = []byte{}
		}
		return b, true, err
	}
	return nil, false, nil
}

// line is any line but the first.
type line struct {
	Keyspace   *string   `json:"keyspace"`
	Keyspace64 *string   `json:"keyspace64"`
	Key        *string   `json:"key"`
	Key64      *string   `json:"key64"`
	Type       string    `json:"type"`
	Part       int       `json:"part"`
	Expires    int64     `json:"expires"`
	Value      *string   `json:"value"`
	Value64    *string   `json:"value64"`
	Fields     []element `json:"fields"`
	Members    []element `json:"members"`
	Items      []element `json:"items"`

	End       bool   `json:"end"`
	Keyspaces int64  `json:"keyspaces"`
	Keys      int64  `json:"keys"`
	Elements  int64  `json:"elements"`
	SHA256    string `json:"sha256"`
}

// element is a field, member or item.
type element struct {
	Field    *string `json:"field"`
	Field64  *string `json:"field64"`
	Member   *string `json:"member"`
	Member64 *string `json:"member64"`
	Item     *string `json:"item"`
	Item64   *string `json:"item64"`
	Value    *string `json:"value"`
	Value64  *string `json:"value64"`
	Score    *score  `json:"score"`
	Expires  int64   `json:"expires"`
}

// score is a number, or "inf" or "-inf".
type score float64

// UnmarshalJSON implements json.Unmarshaler.
func (s *score) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"inf"`:
		*s = score(math.Inf(1))
		return nil
	case `"-inf"`:
		*s = score(math.Inf(-1))
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(f) {
		return fmt.Errorf("score %s is no number", b)
	}
	*s = score(f)
	return nil
}

// Next returns the next entry, which is the caller's. At the end of a whole dump it is
// io.EOF. An error names the line, and is that of every later call.
func (d *Reader) Next() (*entry.Entry, error) {
	if d.err != nil {
		return nil, d.err
	}
	e, err := d.read()
	if err != nil && err != io.EOF && !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("line %d: %w", d.line, err)
	}
	d.err = err
	return e, err
}

func (d *Reader) read() (*entry.Entry, error) {
	b, err := d.next()
	if err == io.EOF {
		return nil, fmt.Errorf("%w: it was cut short: there is no end line behind line %d", ErrDamaged, d.line)
	}
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(b) {
		return nil, errors.New("it is not UTF-8")
	}
	var l line
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return nil, err
	}
	if rest := b[dec.InputOffset():]; len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("something stands behind the object")
	}
	if l.End {
		return nil, d.end(l)
	}
	d.sum.Write(b)
	e, err := d.entry(l)
	if err != nil {
		return nil, err
	}
	d.keyspace = e.Keyspace
	d.last = entry.Entry{Key: e.Key, Type: e.Type, Part: e.Part}
	return e, nil
}

// end checks the last line against what was read.
func (d *Reader) end(l line) error {
	if got := hex.EncodeToString(d.sum.Sum(nil)); got != l.SHA256 {
		return fmt.Errorf("%w: the lines before line %d are not those that were written: SHA-256 is %s, the end line says %q", ErrDamaged, d.line, got, l.SHA256)
	}
	if d.keyspaces != l.Keyspaces || d.keys != l.Keys || d.elements != l.Elements {
		return fmt.Errorf("%w: %d keyspaces, %d keys, %d elements were read; the end line says %d, %d, %d", ErrDamaged,
			d.keyspaces, d.keys, d.elements, l.Keyspaces, l.Keys, l.Elements)
	}
	if b, err := d.next(); err != io.EOF {
		return fmt.Errorf("%w: %d bytes stand behind the end line", ErrDamaged, max(1, len(b)))
	}
	return io.EOF
}

// entry makes an entry of a line.
func (d *Reader) entry(l line) (*entry.Entry, error) {
	name, ok, err := text{l.Keyspace, l.Keyspace64, "keyspace"}.bytes()
	if err != nil {
		return nil, err
	}
	if ok {
		d.keyspaces++
		return &entry.Entry{Keyspace: string(name)}, nil
	}
	key, ok, err := text{l.Key, l.Key64, "key"}.bytes()
	if err != nil {
		return nil, err
	}
	if !ok || len(key) == 0 {
		return nil, errors.New("there is no key")
	}
	e := &entry.Entry{Keyspace: d.keyspace, Key: key, Part: l.Part, Expires: moment(l.Expires)}
	if e.Type = typeOf(l.Type); e.Type == typed.TypeNone {
		return nil, fmt.Errorf("type %q is unknown", l.Type)
	}
	if e.Type == typed.TypeString {
		if l.Part != 0 {
			return nil, errors.New("a string has no parts")
		}
		d.keys++
		e.Value, ok, err = text{l.Value, l.Value64, "value"}.bytes()
		if err == nil && !ok {
			err = errors.New("there is no value")
		}
		return e, err
	}
	if e.Part == 0 {
		e.Part = 1
		d.keys++
	} else if e.Part != d.last.Part+1 || e.Type != d.last.Type || !bytes.Equal(e.Key, d.last.Key) {
		return nil, fmt.Errorf("part %d does not follow the line before", e.Part)
	}
	err = d.collect(e, l)
	return e, err
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func typeOf(name string) typed.Type {
	for _, t := range []typed.Type{typed.TypeString, typed.TypeHash, typed.TypeSet, typed.TypeZSet, typed.TypeList} {
		if t.String() == name {
			return t
		}
	}
	return typed.TypeNone
}

// collect takes the elements of a line.
func (d *Reader) collect(e *entry.Entry, l line) error {
	from := l.Members
	switch e.Type {
	case typed.TypeHash:
		from = l.Fields
	case typed.TypeList:
		from = l.Items
	}
	if len(from) == 0 {
		list, _ := names(e.Type)
		return fmt.Errorf("a %v has %s", e.Type, list)
	}
	e.Elements = make([]entry.Element, len(from))
	for i := range from {
		if err := from[i].into(&e.Elements[i], e.Type); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	d.elements += int64(len(from))
	return nil
}

// into fills an element from its line.
func (v *element) into(e *entry.Element, t typed.Type) error {
	_, what := names(t)
	name := text{v.Member, v.Member64, what}
	switch t {
	case typed.TypeHash:
		name.plain, name.coded = v.Field, v.Field64
	case typed.TypeList:
		name.plain, name.coded = v.Item, v.Item64
	}
	b, ok, err := name.bytes()
	if err == nil && !ok {
		err = errors.New("there is no " + what)
	}
	if err != nil {
		return err
	}
	e.Expires = moment(v.Expires)
	switch t {
	case typed.TypeList:
		e.Value = b
		if v.Expires != 0 {
			return errors.New("an item has no deadline")
		}
		return nil
	case typed.TypeHash:
		if e.Value, ok, err = (text{v.Value, v.Value64, "value"}).bytes(); err == nil && !ok {
			err = errors.New("there is no value")
		}
	case typed.TypeZSet:
		if v.Score == nil {
			return errors.New("there is no score")
		}
		e.Score = float64(*v.Score)
	}
	e.Name = string(b)
	return err
}
