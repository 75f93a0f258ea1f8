package commitlog

import "github.com/siltstonedb/siltstone/wal"

// group is the contents of one frame to be. Payloads are copied into buffers of one
// size, which are used again: none ever grows, so that nothing is copied twice. Large
// payloads are referenced, in order, between the parts of the buffers.
type group struct {
	frame  wal.Frame
	pieces [][]byte // complete pieces before buf[cut:]
	buf    []byte   // is being filled
	cut    int
	full   [][]byte // buffers before buf
	size   int64
	end    Position // position behind the group's last byte
	synced int64    // bytes of the file that SyncBehind made durable
}

// reference adds payload as a piece of its own.
func (g *group) reference(payload []byte) {
	g.closePiece()
	g.pieces = append(g.pieces, payload)
}

// closePiece makes the bytes of buf behind the last piece a piece.
func (g *group) closePiece() {
	if len(g.buf) > g.cut {
		g.pieces = append(g.pieces, g.buf[g.cut:len(g.buf):len(g.buf)])
		g.cut = len(g.buf)
	}
}

// fits reports whether n more bytes can be added to the buffer at hand.
func (g *group) fits(n int) bool { return n <= cap(g.buf)-len(g.buf) }

// turn makes buf, which is empty, the buffer at hand.
func (g *group) turn(buf []byte) {
	if g.buf != nil {
		g.closePiece()
		g.full = append(g.full, g.buf)
	}
	g.buf, g.cut = buf, 0
}

// add copies payload, which fits, into the buffer at hand.
func (g *group) add(payload []byte) { g.buf = append(g.buf, payload...) }

// held returns how much memory the group takes.
func (g *group) held() int64 {
	n := int64(cap(g.buf))
	for _, buf := range g.full {
		n += int64(cap(buf))
	}
	return max(n, g.size)
}
