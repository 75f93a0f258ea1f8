package raftstore

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A proposal is the data of an entry of the log:
//
//	0      version: 1
//	1      kind: 1 a command, 2 the time alone
//	2..9   time, milliseconds since 1970, big-endian
//	10..17 seed of its draws, big-endian
//	18..33 id: what was proposed twice is run once
//	34     length of the name
//	       name
//	       argument: the rest
type proposal struct {
	kind byte
	time int64
	seed uint64
	id   [16]byte
	name string
	arg  []byte
}

const (
	proposalVersion = 1
	proposalHead    = 35
	maxName         = 255
	// maxProposal bounds the bytes of one: raft sends an entry whole.
	maxProposal = 16 << 20

	kindCommand = 1
	kindTick    = 2
)

var errBadProposal = errors.New("raftstore: an entry of the log is no proposal")

func (p *proposal) append(dst []byte) []byte {
	dst = append(dst, proposalVersion, p.kind)
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.time))
	dst = binary.BigEndian.AppendUint64(dst, p.seed)
	dst = append(dst, p.id[:]...)
	dst = append(dst, byte(len(p.name)))
	dst = append(dst, p.name...)
	return append(dst, p.arg...)
}

// decodeProposal decodes b, of which arg is a part.
func decodeProposal(b []byte) (p proposal, err error) {
	switch {
	case len(b) < proposalHead || proposalHead+int(b[proposalHead-1]) > len(b):
		return p, fmt.Errorf("%w: it is cut at %d bytes", errBadProposal, len(b))
	case b[0] != proposalVersion:
		return p, fmt.Errorf("%w: its version is %d, known is %d", errBadProposal, b[0], proposalVersion)
	case b[1] != kindCommand && b[1] != kindTick:
		return p, fmt.Errorf("%w: its kind is %d", errBadProposal, b[1])
	}
	p.kind = b[1]
	p.time = int64(binary.BigEndian.Uint64(b[2:]))
	p.seed = binary.BigEndian.Uint64(b[10:])
	copy(p.id[:], b[18:])
	n := proposalHead + int(b[proposalHead-1])
	p.name, p.arg = string(b[proposalHead:n]), b[n:]
	return p, nil
}

// An outcome is what a command did, as it is kept and sent: one byte, 0 for a result
// and 1 for an error, and the result or the error's text.
const (
	outcomeResult = 0
	outcomeError  = 1
)

// openOutcome returns the result of a command by its outcome.
func openOutcome(command string, b []byte) ([]byte, error) {
	switch {
	case len(b) == 0 || b[0] > outcomeError:
		return nil, fmt.Errorf("raftstore: the outcome of command %s is damaged", command)
	case b[0] == outcomeError:
		return nil, &CommandError{Command: command, Text: string(b[1:])}
	}
	return b[1:], nil
}
