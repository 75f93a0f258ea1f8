package sstable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// pages are the values of a block in pieces that are read, verified and
// decompressed one by one, by a reader that has the block's keys. No value lies in
// two of them. Their directory stands behind them, under the block's checksum as
// they are:
//
//	+--------+--------+-----+--------------------------------------+-----------+
//	| page 0 | page 1 | …   | end unpacked 4, end 4, checksum 8; … | pages 4 B |
//	+--------+--------+-----+--------------------------------------+-----------+
//
// Ends count from the first page. A page as long as it is unpacked is stored as it
// is. Checksums are the xxhash of the page's bytes: what the directory says is
// already bound to table and place.
type pages struct {
	directory []byte // an entry of pageEntryLen per page
}

// page is one of them.
type page struct {
	rawFrom, rawTo uint32 // among the values
	from, to       uint32 // among the stored bytes
	sum            uint64
}

const (
	pageEntryLen = 16
	pageCountLen = 4

	// blockPages is how many pages a block has, about: the values of one are at least
	// so many times smaller than a block. Compression asks for large pages, a read of
	// one value for small ones.
	blockPages = 4
	// Values are worth pages if the keys, which a reader keeps in memory to read
	// one page, are at most a third of them.
	pagedShare = 3
)

var (
	errPages   = errors.New("pages do not divide the values")
	errPageSum = errors.New("page does not verify")
)

func (p pages) len() int { return len(p.directory) / pageEntryLen }

func (p pages) at(i int) (g page) {
	le := binary.LittleEndian
	e := p.directory[i*pageEntryLen:]
	g.rawTo, g.to, g.sum = le.Uint32(e), le.Uint32(e[4:]), le.Uint64(e[8:])
	if i > 0 {
		e = p.directory[(i-1)*pageEntryLen:]
		g.rawFrom, g.from = le.Uint32(e), le.Uint32(e[4:])
	}
	return g
}

// packed reports whether the page has to be decompressed.
func (g page) packed() bool { return g.to-g.from != g.rawTo-g.rawFrom }

func (g page) verify(stored []byte) error {
	if sum := xxhash.Sum64(stored); sum != g.sum {
		return fmt.Errorf("%w: checksum is %016x, want %016x", errPageSum, g.sum, sum)
	}
	return nil
}

// find returns the page that holds the values' bytes from, inclusive, to to; ok is
// false if no page holds them all.
func (p pages) find(from, to uint32) (g page, ok bool) {
	for i := range p.len() {
		if g = p.at(i); from < g.rawTo {
			return g, from >= g.rawFrom && to <= g.rawTo
		}
	}
	return g, false
}

// decodePages parts area, the stored values of a block that has raw bytes of them,
// into pages and directory, and checks that the pages divide both. Without packed
// each is stored as it is.
func decodePages(area []byte, raw uint32, packed bool) (p pages, stored []byte, err error) {
	if len(area) < pageCountLen {
		return p, nil, errPages
	}
	n := uint64(binary.LittleEndian.Uint32(area[len(area)-pageCountLen:]))
	area = area[:len(area)-pageCountLen]
	if n == 0 || n > uint64(len(area))/pageEntryLen {
		return p, nil, errPages
	}
	stored = area[:len(area)-int(n)*pageEntryLen]
	p.directory = area[len(stored):]
	last := page{}
	for i := range int(n) {
		g := p.at(i)
		if g.rawTo <= last.rawTo || g.to <= last.to || !packed && g.packed() {
			return p, nil, errPages
		}
		last = g
	}
	if last.rawTo != raw || uint64(last.to) != uint64(len(stored)) {
		return p, nil, errPages
	}
	return p, stored, nil
}

// verify checks the pages' own checksums, which no other check of the block needs.
func (p pages) verify(stored []byte) error {
	for i := range p.len() {
		g := p.at(i)
		if err := g.verify(stored[g.from:g.to]); err != nil {
			return err
		}
	}
	return nil
}

// unpack decompresses all pages of stored into dst, which has exactly the size of
// the values.
func (p pages) unpack(dst, stored []byte, c Compression, u *unpacker) error {
	for i := range p.len() {
		g := p.at(i)
		to := dst[g.rawFrom:g.rawTo:g.rawTo]
		if !g.packed() {
			copy(to, stored[g.from:g.to])
		} else if err := u.unpack(to, stored[g.from:g.to], c); err != nil {
			return err
		}
	}
	return nil
}

// cutPages appends to dst where the pages of values end that have these ends, each
// of size bytes or more, but for the last: half of that. It appends nothing if there
// would be one page only.
func cutPages(dst, ends []uint32, size uint32) []uint32 {
	start, total, n := uint32(0), ends[len(ends)-1], len(dst)
	for _, end := range ends {
		if end-start >= size && total-end >= size/2 && end < total {
			dst, start = append(dst, end), end
		}
	}
	if len(dst) == n {
		return dst
	}
	return append(dst, total)
}

// packPages appends values to dst as pages with these ends, and their directory.
// It returns how those that shrank are compressed; NoCompression: all are stored
// as they are.
func (p *packer) packPages(dst, values []byte, ends []uint32) ([]byte, Compression, error) {
	start, kind := len(dst), p.kind
	if p.pause > 0 {
		p.pause--
		kind = NoCompression
	}
	dst, err := p.appendPages(dst, values, ends, kind)
	if err == nil && kind != NoCompression && !p.worth(len(values), len(dst)-start) {
		kind = NoCompression
		dst, err = p.appendPages(dst[:start], values, ends, kind)
	}
	dst = append(dst, p.directory...)
	return binary.LittleEndian.AppendUint32(dst, uint32(len(ends))), kind, err
}

// appendPages appends the pages and makes their directory.
func (p *packer) appendPages(dst, values []byte, ends []uint32, kind Compression) (_ []byte, err error) {
	start, from := len(dst), uint32(0)
	p.directory = slices.Grow(p.directory[:0], len(ends)*pageEntryLen)
	for _, end := range ends {
		at, raw := len(dst), values[from:end]
		from = end
		if kind != NoCompression && len(raw) >= minPack {
			if dst, err = p.encode(dst, raw); err != nil {
				return dst, err
			}
		}
		if len(dst) == at || len(dst)-at >= len(raw) {
			dst = append(dst[:at], raw...)
		}
		le := binary.LittleEndian
		p.directory = le.AppendUint32(p.directory, end)
		p.directory = le.AppendUint32(p.directory, uint32(len(dst)-start))
		p.directory = le.AppendUint64(p.directory, xxhash.Sum64(dst[at:]))
	}
	return dst, nil
}
