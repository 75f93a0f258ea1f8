package commit

import "github.com/siltstonedb/siltstone/wal"

// group is what one frame will hold. Large payloads are referenced, in order,
// between the parts of buf.
type group struct {
	frame  wal.Frame
	pieces [][]byte // complete pieces before buf[cut:]
	buf    []byte
	cut    int
	size   int64
	end    Position // position behind the group's last byte
}

// reference adds payload as a piece of its own.
func (g *group) reference(payload []byte) {
	g.closePiece()
	g.pieces = append(g.pieces, payload)
}

// closePiece makes what buf holds behind the last piece a piece.
func (g *group) closePiece() {
	if len(g.buf) > g.cut {
		g.pieces = append(g.pieces, g.buf[g.cut:len(g.buf):len(g.buf)])
		g.cut = len(g.buf)
	}
}

// add copies payload into the group's buffer. Growing it may move it, so pieces
// that point into the old one stay valid and are kept as they are.
func (g *group) add(payload []byte) {
	if len(g.buf)+len(payload) > cap(g.buf) && len(g.pieces) > 0 {
		g.closePiece()
		g.buf, g.cut = make([]byte, 0, max(len(payload), gatherLimit)), 0
	}
	if need := len(g.buf) + len(payload); need > cap(g.buf) {
		// By itself append grows by a quarter: on the way to the backlog's limit that
		// is five times as much garbage as buffer.
		g.buf = append(make([]byte, 0, max(need, 2*cap(g.buf))), g.buf...)
	}
	g.buf = append(g.buf, payload...)
}
