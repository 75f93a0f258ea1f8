package resp

import (
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc64"
	"math"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands that take a value out and bring it back. The format is the server's own, and
// that of no version of Redis:
//
//	"ST" 01 │ type, a byte │ elements … │ CRC-64/ECMA of all before, little-endian
//
// A string is its length and bytes. A field is its deadline in milliseconds of 1970, 0 for
// none, its name and its value; a member of a set a deadline and a name; a member of a
// sorted set a deadline, a name and 8 bytes of score; an item of a list its bytes. Lengths
// and deadlines are unsigned varints. There is no count: elements end where the checksum
// begins.
var dumpCommands = []command{
	{"dump", 2, reads, 1, 1, 1, dump},
	{"restore", -4, writes, 1, 1, 1, restore},
}

const dumpMagic = "ST\x01"

var dumpTable = crc64.MakeTable(crc64.ECMA)

func dump(c *call) error {
	var p payload
	err := c.view(func(s siltstone.ReadWriter) error {
		kind, err := s.Key(c.key(1)).Type()
		if err != nil {
			return err
		}
		p.b = append([]byte(dumpMagic), byte(kind))
		p.most = c.s.opts.MaxCommandBytes
		return p.write(s, c.key(1), kind)
	})
	if err != nil {
		return c.orNull(nil, err)
	}
	c.out.bulk(binary.LittleEndian.AppendUint64(p.b, crc64.Checksum(p.b, dumpTable)))
	return nil
}

// payload is a value on its way out or in.
type payload struct {
	b    []byte
	most int // bytes it may have
	err  error
}

func (p *payload) bytes(b string) {
	p.b = binary.AppendUvarint(p.b, uint64(len(b)))
	p.b = append(p.b, b...)
}

// deadline writes when an element ends, as a call about it tells.
func (p *payload) deadline(at time.Time, err error) {
	ms := uint64(0)
	if err == nil && !at.IsZero() {
		ms = uint64(at.UnixMilli())
	} else if err != nil && !absent(err) {
		p.err = err
	}
	p.b = binary.AppendUvarint(p.b, ms)
}

func (p *payload) write(s siltstone.ReadWriter, name string, kind typed.Type) error {
	var err error
	switch kind {
	case typed.TypeString:
		var v []byte
		v, err = s.Get([]byte(name))
		p.bytes(string(v))
	case typed.TypeHash:
		h := s.Hash(name)
		err = writeEach(p, h.All(), func(f typed.Field) {
			p.deadline(h.FieldDeadline(f.Name))
			p.bytes(f.Name)
			p.bytes(string(f.Value))
		})
	case typed.TypeSet:
		t := s.Set(name)
		err = writeEach(p, t.All(), func(m string) {
			p.deadline(t.MemberDeadline(m))
			p.bytes(m)
		})
	case typed.TypeZSet:
		z := s.ZSet(name)
		err = writeEach(p, z.All(), func(m typed.Member) {
			p.deadline(z.MemberDeadline(m.Name))
			p.bytes(m.Name)
			p.b = binary.LittleEndian.AppendUint64(p.b, math.Float64bits(m.Score))
		})
	case typed.TypeList:
		err = writeEach(p, s.List(name).Range(0, -1), func(v []byte) { p.bytes(string(v)) })
	}
	return err
}

func writeEach[T any](p *payload, loop func(func(T, error) bool), write func(T)) error {
	for v, err := range loop {
		if err != nil {
			return err
		}
		write(v)
		if p.err != nil {
			return p.err
		}
		if len(p.b) > p.most {
			return errReplyTooLong
		}
	}
	return nil
}

const errBusyKey = replyError("BUSYKEY Target key name already exists.")

const errDump = replyError("ERR DUMP payload version or checksum are wrong")

// restoring is a RESTORE taken apart.
type restoring struct {
	replace, absolute bool
	at                time.Time // zero: no deadline
}

func (c *call) restoring() (r restoring, err error) {
	for i := 4; i < len(c.args); i++ {
		switch a := c.args[i]; {
		case is(a, "REPLACE"):
			r.replace = true
		case is(a, "ABSTTL"):
			r.absolute = true
		case (is(a, "IDLETIME") || is(a, "FREQ")) && i+1 < len(c.args): // how it was used is not kept
			i++
			if n, ok := parseInt(c.args[i]); !ok || n < 0 {
				return r, replyError("ERR Invalid IDLETIME or FREQ value, must be >= 0")
			}
		default:
			return r, errSyntax
		}
	}
	n, err := c.int(2)
	switch {
	case err != nil:
		return r, err
	case n < 0:
		return r, replyError("ERR Invalid TTL value, must be >= 0")
	case n > 0:
		r.at, err = c.deadline(2, 1, r.absolute)
	}
	return r, err
}

func restore(c *call) error {
	r, err := c.restoring()
	if err != nil {
		return err
	}
	if exists, err := c.space.Key(c.key(1)).Exists(); err != nil || exists && !r.replace {
		return cmp.Or(err, error(errBusyKey))
	}
	b := c.args[3]
	end := len(b) - 8
	if end < len(dumpMagic)+1 || string(b[:len(dumpMagic)]) != dumpMagic || crc64.Checksum(b[:end], dumpTable) != binary.LittleEndian.Uint64(b[end:]) {
		return errDump
	}
	err = c.update(func(s siltstone.ReadWriter) error {
		key := s.Key(c.key(1))
		exists, err := key.Exists()
		if err != nil {
			return err
		}
		if exists {
			if !r.replace {
				return errBusyKey
			}
			if _, err := key.Drop(); err != nil {
				return err
			}
		}
		p := payload{b: b[len(dumpMagic)+1 : end]}
		if err := p.read(s, c.key(1), typed.Type(b[len(dumpMagic)])); err != nil {
			return err
		}
		if !r.at.IsZero() {
			err = key.ExpireAt(r.at)
		}
		c.changed(c.args[1], 'g', "restore")
		return err
	})
	if errors.Is(err, siltstone.ErrNotFound) { // all elements had ended
		err = nil
	}
	if err == nil {
		c.out.ok()
	}
	return err
}

func (p *payload) uvarint() uint64 {
	n, size := binary.Uvarint(p.b)
	if size <= 0 {
		p.b, p.err = nil, errDump
		return 0
	}
	p.b = p.b[size:]
	return n
}

func (p *payload) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.b, p.err = nil, errDump
		return nil
	}
	b := p.b[:n:n]
	p.b = p.b[n:]
	return b
}

func (p *payload) name() string { return string(p.take(p.uvarint())) }

// read makes the value of what is left of the payload.
func (p *payload) read(s siltstone.ReadWriter, name string, kind typed.Type) error {
	if kind == typed.TypeString {
		v := p.take(p.uvarint())
		if p.err != nil || len(p.b) > 0 {
			return errDump
		}
		return s.Put([]byte(name), v)
	}
	for len(p.b) > 0 {
		if err := p.element(s, name, kind); err != nil {
			return err
		}
	}
	return p.err
}

func (p *payload) element(s siltstone.ReadWriter, name string, kind typed.Type) (err error) {
	if kind == typed.TypeList {
		v := p.take(p.uvarint())
		if p.err != nil {
			return p.err
		}
		_, err = s.List(name).PushBack(v)
		return err
	}
	ms := p.uvarint()
	element := p.name()
	if ms > math.MaxInt64/1000 {
		p.err = errDump
	}
	at := time.UnixMilli(int64(ms))
	switch kind {
	case typed.TypeHash:
		value := p.take(p.uvarint())
		if p.err != nil {
			return p.err
		}
		h := s.Hash(name)
		if _, err = h.Set(element, value); err == nil && ms > 0 {
			_, err = h.ExpireFieldsAt(at, 0, element)
		}
	case typed.TypeSet:
		if p.err != nil {
			return p.err
		}
		t := s.Set(name)
		if _, err = t.Add(element); err == nil && ms > 0 {
			_, err = t.ExpireMembersAt(at, 0, element)
		}
	case typed.TypeZSet:
		score := p.take(8)
		if p.err != nil {
			return p.err
		}
		z := s.ZSet(name)
		if _, err = z.Add(element, math.Float64frombits(binary.LittleEndian.Uint64(score))); err == nil && ms > 0 {
			_, err = z.ExpireMembersAt(at, 0, element)
		}
	default:
		return errDump
	}
	return err
}
