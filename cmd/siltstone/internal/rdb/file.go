// Package rdb reads the file that Redis writes with SAVE, as entries: strings, lists, sets,
// sorted sets and hashes in all encodings of Redis 2.2 to 8.4, with the times to live of keys
// and of fields.
//
//	REDIS 0012 │ AUX … │ SELECTDB 0 │ [EXPIRE] type key value … │ EOF │ CRC-64
//	                                           │
//	               a string, or elements one behind the other, or a collection
//	               packed into one string: listpack, intset, ziplist, zipmap
//
// file.go reads what stands around the values, value.go the values, packed.go the packed
// ones, and skip.go what Siltstone does not have: streams and what belongs to modules.
package rdb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/siltstonedb/siltstone/typed"
)

// The operations of a file that are no keys.
const (
	opSlotInfo  = 0xf4
	opFunction  = 0xf5
	opModuleAux = 0xf7
	opIdle      = 0xf8
	opFreq      = 0xf9
	opAux       = 0xfa
	opResize    = 0xfb
	opExpireMS  = 0xfc
	opExpire    = 0xfd
	opSelect    = 0xfe
	opEnd       = 0xff

	// firstOp divides the types of values, which are counted up from 0, from the operations,
	// which are counted down from opEnd.
	firstOp = 0x80
)

// errStopped ends a file whose loop was left.
var errStopped = errors.New("the loop was left")

// Read returns a loop over the keys of a file. Large collections come in parts. Database 0 is
// the default keyspace, database n the keyspace "db" n. An entry.ErrLeftOut stands for a
// stream, for a value of a module, and for a key or element whose name is too long. Any other
// error is the last item, and says at which offset.
//
// Memory is bounded by the longest string of the file, which Siltstone's largest value bounds.
// Every length is compared with what there is before it is used, and the checksum at the end
// is verified.
func Read(r io.Reader) iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		d := &file{in: bufio.NewReaderSize(r, 256<<10)}
		d.yield = func(e *entry.Entry, err error) error {
			if !yield(e, err) {
				return errStopped
			}
			return nil
		}
		err := d.read()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: it was cut short: %w", entry.ErrDamaged, err)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, fmt.Errorf("redis RDB, offset %d: %w", d.offset, err))
		}
	}
}

// file is a file that is being read.
type file struct {
	in      *bufio.Reader
	yield   func(*entry.Entry, error) error
	offset  int64
	sum     uint64
	version int
	entry   entry.Entry // keyspace, key, type, deadline of the key being read
	unfit   bool        // its key is no key of Siltstone: it is read and not yielded
	part    int         // of it, that was yielded last
	list    []entry.Element
	size    int // of the elements in list
}

// jones is the polynomial of the checksum, its bits reversed.
var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

// full reads n bytes, which have been compared with a bound. Memory grows with what is
// there, not with n.
func (d *file) full(n uint64) ([]byte, error) {
	if n > siltstone.MaxValueLen {
		return nil, fmt.Errorf("a string of %d bytes: %d are the most", n, siltstone.MaxValueLen)
	}
	var b []byte
	if n <= 64<<10 {
		b = make([]byte, n)
		if _, err := io.ReadFull(d.in, b); err != nil {
			return nil, err
		}
	} else {
		var buf bytes.Buffer
		if _, err := io.CopyN(&buf, d.in, int64(n)); err != nil {
			return nil, err
		}
		b = buf.Bytes()
	}
	d.offset += int64(n)
	d.sum = ^crc64.Update(^d.sum, jones, b)
	return b, nil
}

func (d *file) byte() (byte, error) {
	b, err := d.full(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// length reads a length, or the number of a special encoding of a string.
func (d *file) length() (n uint64, special bool, err error) {
	first, err := d.byte()
	if err != nil {
		return 0, false, err
	}
	switch first >> 6 {
	case 0:
		return uint64(first), false, nil
	case 1:
		next, err := d.byte()
		return uint64(first&0x3f)<<8 | uint64(next), false, err
	case 3:
		return uint64(first & 0x3f), true, nil
	}
	switch first {
	case 0x80:
		b, err := d.full(4)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(b)), false, nil
	case 0x81:
		b, err := d.full(8)
		if err != nil {
			return 0, false, err
		}
		return binary.BigEndian.Uint64(b), false, nil
	}
	return 0, false, fmt.Errorf("a length begins with byte %#x", first)
}

// count reads a length that is no special encoding.
func (d *file) count() (uint64, error) {
	n, special, err := d.length()
	if err == nil && special {
		err = errors.New("a string stands where a length should")
	}
	return n, err
}

// text reads a string.
func (d *file) text() ([]byte, error) {
	n, special, err := d.length()
	if err != nil {
		return nil, err
	}
	if !special {
		return d.full(n)
	}
	if n == 3 {
		return d.compressed()
	}
	if n > 3 {
		return nil, fmt.Errorf("a string has encoding %d, which is unknown", n)
	}
	b, err := d.full(1 << n)
	if err != nil {
		return nil, err
	}
	return strconv.AppendInt(nil, littleEndian(b), 10), nil
}

// littleEndian returns the signed number of up to eight bytes.
func littleEndian(b []byte) int64 {
	var n uint64
	for i, c := range b {
		n |= uint64(c) << (8 * i)
	}
	shift := 64 - 8*len(b)
	return int64(n<<shift) >> shift
}

// compressed reads a string that LZF made shorter.
func (d *file) compressed() ([]byte, error) {
	stored, err := d.count()
	if err != nil {
		return nil, err
	}
	long, err := d.count()
	if err != nil {
		return nil, err
	}
	b, err := d.full(stored)
	if err != nil {
		return nil, err
	}
	return unLZF(b, long)
}

// read reads all of it.
func (d *file) read() error {
	head, err := d.full(9)
	if err != nil {
		return err
	}
	d.version, err = strconv.Atoi(string(head[5:]))
	if string(head[:5]) != "REDIS" || err != nil {
		return errors.New("this is no RDB file: it does not begin with REDIS and a version")
	}
	for {
		op, err := d.byte()
		if err != nil {
			return err
		}
		switch op {
		case opEnd:
			return d.end()
		case opSelect:
			n, err := d.count()
			if err != nil {
				return err
			}
			if d.entry.Keyspace = ""; n > 0 {
				d.entry.Keyspace = "db" + strconv.FormatUint(n, 10)
			}
		default:
			if err := d.operation(op); err != nil {
				return err
			}
		}
	}
}

// end reads the checksum; 0 is none.
func (d *file) end() error {
	if d.version < 5 {
		return nil
	}
	sum := d.sum
	b, err := d.full(8)
	if err != nil {
		return err
	}
	if want := binary.LittleEndian.Uint64(b); want != 0 && want != sum {
		return fmt.Errorf("%w: its checksum is %016x, and that of its bytes %016x", entry.ErrDamaged, want, sum)
	}
	return nil
}

// operation reads what is neither a database nor the end.
func (d *file) operation(op byte) error {
	strings, lengths := 0, 0
	switch op {
	case opAux:
		strings = 2
	case opFunction:
		strings = 1
	case opSlotInfo:
		lengths = 3
	case opResize:
		lengths = 2
	case opIdle:
		lengths = 1
	case opFreq:
		_, err := d.byte()
		return err
	case opExpire, opExpireMS:
		return d.expiry(op)
	case opModuleAux:
		return d.skipModule()
	default:
		if op >= firstOp {
			return fmt.Errorf("an operation %d, which is none of Redis 2.2 to 8.4; the file has version %d", op, d.version)
		}
		return d.key(op)
	}
	s := skipper{d: d}
	s.texts(strings)
	s.counts(lengths)
	return s.err
}

// expiry reads the deadline of the next key.
func (d *file) expiry(op byte) error {
	n, unit := uint64(8), int64(1)
	if op == opExpire {
		n, unit = 4, 1000
	}
	b, err := d.full(n)
	if err != nil {
		return err
	}
	d.entry.Expires = deadline(littleEndian(b) * unit)
	return nil
}

// deadline returns the moment of so many milliseconds. One before 1970 is long over.
func deadline(ms int64) time.Time { return time.UnixMilli(max(ms, 1)) }

// key reads a key with its value, and yields it.
func (d *file) key(kind byte) error {
	key, err := d.text()
	if err != nil {
		return err
	}
	d.entry.Key, d.part = key, 0
	if d.unfit = len(key) == 0 || len(key) > siltstone.MaxKeyLen; d.unfit {
		if err := d.leaveOut("key %s of %d bytes: 1 to %d are possible", quoted(key), len(key), siltstone.MaxKeyLen); err != nil {
			return err
		}
	}
	if err := d.value(kind); err != nil {
		if errors.Is(err, errStopped) {
			return err
		}
		return fmt.Errorf("key %s: %w", quoted(key), err)
	}
	if err := d.flush(); err != nil {
		return err
	}
	d.entry.Expires = time.Time{}
	return nil
}

// quoted returns a name as it is told, which may be long.
func quoted[T string | []byte](name T) string {
	if len(name) > 64 {
		return strconv.Quote(string(name[:64])) + "…"
	}
	return strconv.Quote(string(name))
}

// leaveOut says what is left out.
func (d *file) leaveOut(format string, args ...any) error {
	return d.yield(nil, fmt.Errorf("%w: %s", entry.ErrLeftOut, fmt.Sprintf(format, args...)))
}

// add puts an element into the part, and yields the part if it is full.
func (d *file) add(t typed.Type, e entry.Element) error {
	if d.unfit {
		return nil
	}
	if len(e.Name) > siltstone.MaxKeyLen {
		return d.leaveOut("an element of key %s, whose name has %d bytes: %d are the most", quoted(d.entry.Key), len(e.Name), siltstone.MaxKeyLen)
	}
	d.entry.Type = t
	d.list = append(d.list, e)
	d.size += len(e.Name) + len(e.Value)
	if len(d.list) < 1000 && d.size < 256<<10 {
		return nil
	}
	return d.flush()
}

// flush yields the part that was gathered.
func (d *file) flush() error {
	if len(d.list) == 0 {
		return nil
	}
	e := d.entry
	d.part++
	e.Part, e.Elements = d.part, d.list
	d.list, d.size = nil, 0
	return d.yield(&e, nil)
}
