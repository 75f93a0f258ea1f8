package foreign

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

// The operations of an RDB file that are no keys.
const (
	rdbFunction  = 0xf5
	rdbModuleAux = 0xf7
	rdbIdle      = 0xf8
	rdbFreq      = 0xf9
	rdbAux       = 0xfa
	rdbResize    = 0xfb
	rdbExpireMS  = 0xfc
	rdbExpire    = 0xfd
	rdbSelect    = 0xfe
	rdbEnd       = 0xff
)

// RDB reads the file that Redis writes with SAVE, of Redis 2.6 to 7.2: strings, lists,
// sets, sorted sets and hashes. A stream is left out; a module's type ends the loop.
// Database 0 is the default keyspace, database n the keyspace "db" n.
//
// Memory is bounded by the longest string of the file. Every length is compared with what
// there is before it is used, and the checksum at the end is verified.
func RDB(r io.Reader) iter.Seq2[*entry.Entry, error] {
	return loop(func(yield func(*entry.Entry, error) error) error {
		d := &rdb{in: bufio.NewReaderSize(r, 256<<10), yield: yield}
		err := d.file()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && !errors.Is(err, errStopped) {
			return fmt.Errorf("redis RDB, offset %d: %w", d.offset, err)
		}
		return err
	})
}

// rdb reads one file.
type rdb struct {
	in     *bufio.Reader
	yield  func(*entry.Entry, error) error
	offset int64
	sum    uint64
	entry  entry.Entry // keyspace, key, type, deadline of the key being read
	part   int         // of it, that was yielded last
	list   []entry.Element
	size   int // of the elements in list
}

// jones is the polynomial of the checksum, its bits reversed.
var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

// full reads n bytes, which have been compared with a bound. Memory grows with what is
// there, not with n.
func (d *rdb) full(n uint64) ([]byte, error) {
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

func (d *rdb) byte() (byte, error) {
	b, err := d.full(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// length reads a length, or the number of a special encoding of a string.
func (d *rdb) length() (n uint64, special bool, err error) {
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
func (d *rdb) count() (uint64, error) {
	n, special, err := d.length()
	if err == nil && special {
		err = errors.New("a string stands where a length should")
	}
	return n, err
}

// text reads a string.
func (d *rdb) text() ([]byte, error) {
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
func (d *rdb) compressed() ([]byte, error) {
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

// file reads all of it.
func (d *rdb) file() error {
	head, err := d.full(9)
	if err != nil {
		return err
	}
	version, err := strconv.Atoi(string(head[5:]))
	if string(head[:5]) != "REDIS" || err != nil {
		return errors.New("this is no RDB file: it does not begin with REDIS and a version")
	}
	for {
		op, err := d.byte()
		if err != nil {
			return err
		}
		switch op {
		case rdbEnd:
			return d.end(version)
		case rdbSelect:
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
func (d *rdb) end(version int) error {
	if version < 5 {
		return nil
	}
	sum := d.sum
	b, err := d.full(8)
	if err != nil {
		return err
	}
	if want := binary.LittleEndian.Uint64(b); want != 0 && want != sum {
		return fmt.Errorf("the file is damaged: its checksum is %016x, and that of its bytes %016x", want, sum)
	}
	return nil
}

// operation reads what is neither a database nor the end.
func (d *rdb) operation(op byte) error {
	strings, lengths := 0, 0
	switch op {
	case rdbAux:
		strings = 2
	case rdbFunction:
		strings = 1
	case rdbResize:
		lengths = 2
	case rdbIdle:
		lengths = 1
	case rdbFreq:
		_, err := d.byte()
		return err
	case rdbExpire, rdbExpireMS:
		return d.expiry(op)
	case rdbModuleAux:
		return errors.New("data of a Redis module, which cannot be read")
	default:
		return d.key(op)
	}
	for range strings {
		if _, err := d.text(); err != nil {
			return err
		}
	}
	for range lengths {
		if _, err := d.count(); err != nil {
			return err
		}
	}
	return nil
}

// expiry reads the deadline of the next key.
func (d *rdb) expiry(op byte) error {
	n, unit := uint64(8), int64(1)
	if op == rdbExpire {
		n, unit = 4, 1000
	}
	b, err := d.full(n)
	if err != nil {
		return err
	}
	ms := littleEndian(b) * unit
	if ms <= 0 {
		ms = 1 // long over
	}
	d.entry.Expires = time.UnixMilli(ms)
	return nil
}

// key reads a key with its value, and yields it.
func (d *rdb) key(kind byte) error {
	key, err := d.text()
	if err != nil {
		return err
	}
	if d.entry.Key, err = key, nil; len(key) == 0 || len(key) > siltstone.MaxKeyLen {
		return fmt.Errorf("a key of %d bytes: 1 to %d are possible", len(key), siltstone.MaxKeyLen)
	}
	d.part = 0
	if err := d.value(kind); err != nil {
		if errors.Is(err, errStopped) {
			return err
		}
		return fmt.Errorf("key %q: %w", key, err)
	}
	if err := d.flush(); err != nil {
		return err
	}
	d.entry.Expires = time.Time{}
	return nil
}

// add puts an element into the part, and yields the part if it is full.
func (d *rdb) add(t typed.Type, e entry.Element) error {
	d.entry.Type = t
	d.list = append(d.list, e)
	d.size += len(e.Name) + len(e.Value)
	if len(d.list) < 1000 && d.size < 256<<10 {
		return nil
	}
	return d.flush()
}

// flush yields the part that was gathered.
func (d *rdb) flush() error {
	if len(d.list) == 0 {
		return nil
	}
	e := d.entry
	d.part++
	e.Part, e.Elements = d.part, d.list
	d.list, d.size = nil, 0
	return d.yield(&e, nil)
}
