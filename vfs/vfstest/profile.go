package vfstest

import (
	"fmt"
	"math/rand/v2"
)

// Profile says what a power cut may do to the atoms, that is to what has not
// been synced. Synced bytes and names survive in all of them.
type Profile uint8

const (
	// P0 applies everything: the process was killed, the machine ran on.
	P0 Profile = iota
	// P1 applies nothing.
	P1
	// P2 applies a prefix of each file's changes, and of all changes of names one
	// prefix over all directories: a file system with ordered data.
	P2
	// P3 applies any subset. A removal may be there without the rename before it,
	// a name without its bytes, the end of a file without its middle (zeros).
	P3
	// P4 writes lengths before bytes: up to some operation all names and lengths
	// are there, but any subset of the writes. A lost write beyond a file's durable
	// length leaves zeros or stale content of another file.
	P4
	// P5 is P3 with torn writes. A write is split at multiples of 512 or 4096 in
	// the file, or anywhere; each part is old, new or noise.
	P5
)

// Profiles returns P0 to P5.
func Profiles() []Profile { return []Profile{P0, P1, P2, P3, P4, P5} }

// String returns "P0" to "P5".
func (p Profile) String() string { return fmt.Sprintf("P%d", uint8(p)) }

// draw decides the fate of every atom. It draws from rng in the order of atoms,
// so that the result follows from rng alone.
func (p Profile) draw(atoms []atom, d *Disk, rng *rand.Rand) []fate {
	fates := make([]fate, len(atoms))
	switch p {
	case P0:
		for i := range fates {
			fates[i].kept = true
		}
	case P2:
		drawPrefixes(atoms, fates, rng)
	case P3:
		drawSubset(fates, rng)
	case P4:
		drawSizesFirst(atoms, fates, d, rng)
	case P5:
		drawSubset(fates, rng)
		for i, a := range atoms {
			if a.data != nil && a.data.kind == Write && rng.IntN(2) == 0 {
				fates[i] = fate{kept: true, pieces: drawPieces(a.data, rng)}
			}
		}
	}
	return fates
}

// drawSubset keeps each atom with one chance for all, which is even, or low or
// high: with many atoms an even chance alone never shows nearly all or nearly
// none of them.
func drawSubset(fates []fate, rng *rand.Rand) {
	chance := []float64{0.5, 0.5, 0.1, 0.9}[rng.IntN(4)]
	for i := range fates {
		fates[i].kept = rng.Float64() < chance
	}
}

func drawPrefixes(atoms []atom, fates []fate, rng *rand.Rand) {
	total := map[*inode]int{} // atoms of each file; of all directories under nil
	for _, a := range atoms {
		total[a.stream()]++
	}
	left := map[*inode]int{}
	for i, a := range atoms {
		s := a.stream()
		if _, drawn := left[s]; !drawn {
			left[s] = rng.IntN(total[s] + 1)
		}
		fates[i].kept = left[s] > 0
		left[s] = max(left[s]-1, 0)
	}
}

// stream is what P2 keeps in order: a file's bytes, or all names.
func (a atom) stream() *inode {
	if a.data != nil {
		return a.node
	}
	return nil
}

func drawSizesFirst(atoms []atom, fates []fate, d *Disk, rng *rand.Rand) {
	reached := len(atoms)
	if rng.IntN(2) == 0 {
		reached = rng.IntN(len(atoms) + 1)
	}
	chance := []float64{0, 0.5, 0.9}[rng.IntN(3)]
	fills := map[*inode]func([]byte, int64){}
	for i, a := range atoms[:reached] {
		if a.data == nil || a.data.kind != Write || rng.Float64() < chance {
			fates[i].kept = true
			continue
		}
		if fills[a.node] == nil {
			fills[a.node] = d.drawFill(a.node, rng)
		}
		fates[i].fill = fills[a.node]
	}
}

// drawFill returns what node finds where its bytes should be: zeros, or the
// blocks of another file, at the offsets they had there or shifted by whole
// blocks.
func (d *Disk) drawFill(node *inode, rng *rand.Rand) func([]byte, int64) {
	zeros := func(p []byte, _ int64) { clear(p) }
	sources := d.staleSources(node)
	if len(sources) == 0 || rng.IntN(3) == 0 {
		return zeros
	}
	source := sources[rng.IntN(len(sources))]
	shift := int64(0)
	if rng.IntN(3) == 0 {
		shift = 4096 * int64(rng.IntN(len(source)/4096+1))
	}
	return func(p []byte, off int64) {
		clear(p)
		if at := off + shift; at < int64(len(source)) {
			copy(p, source[at:])
		}
	}
}

// staleSources returns contents whose disk blocks node could have been given:
// those of removed files, and, as the rule for files that were rewritten and
// freed their old blocks, the synced ones of other files.
func (d *Disk) staleSources(node *inode) [][]byte {
	sources := append([][]byte(nil), d.stale...)
	seen := map[*inode]bool{node: true}
	var walk func(dir *inode)
	walk = func(dir *inode) {
		for _, name := range sortedNames(dir.entries) {
			n := dir.entries[name]
			if seen[n] {
				continue
			}
			seen[n] = true
			if n.dir {
				walk(n)
			} else if len(n.durable) > 0 {
				sources = append(sources, n.durable)
			}
		}
	}
	walk(d.root)
	return sources
}

// drawPieces tears a write. No piece at all is a lost write.
func drawPieces(o *dataOp, rng *rand.Rand) []piece {
	pieces := []piece{}
	for _, cut := range drawCuts(o, rng) {
		switch rng.IntN(5) {
		case 0, 1: // the old bytes
		case 2, 3:
			pieces = append(pieces, cut)
		case 4:
			cut.noise = drawNoise(o.data[cut.lo:cut.hi], rng)
			pieces = append(pieces, cut)
		}
	}
	return pieces
}

// drawCuts splits a write at every sector, every block, or up to three times
// anywhere.
func drawCuts(o *dataOp, rng *rand.Rand) []piece {
	var cuts []piece
	size, lo := len(o.data), 0
	sector := []int{512, 4096, 0}[rng.IntN(3)]
	for lo < size {
		var hi int
		if sector > 0 {
			hi = lo + sector - int((o.off+int64(lo))%int64(sector))
		} else if len(cuts) < 3 {
			hi = lo + 1 + rng.IntN(size-lo)
		} else {
			hi = size
		}
		hi = min(hi, size)
		cuts = append(cuts, piece{lo: lo, hi: hi})
		lo = hi
	}
	return cuts
}

// drawNoise returns other bytes in place of p: random ones, zeros, ones, or p
// with one bit turned.
func drawNoise(p []byte, rng *rand.Rand) []byte {
	noise := make([]byte, len(p))
	switch rng.IntN(4) {
	case 0:
	case 1:
		for i := range noise {
			noise[i] = 0xff
		}
	case 2:
		copy(noise, p)
		noise[rng.IntN(len(noise))] ^= 1 << rng.IntN(8)
	default:
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
	}
	return noise
}
