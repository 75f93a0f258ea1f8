package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// damage is one case: what is changed in the files of the sound store.
type damage struct {
	Kind  damageKind
	File  string
	With  string // the other file of a swap
	At    int    // the byte, the length of a cut file, or the phase of an older one
	Way   int    // of ways
	IsLog bool   // the one damaged file is the log in use
}

type damageKind uint8

const (
	changed damageKind = iota // a byte, or some
	cut                       // everything behind a place is gone
	older                     // a file is as it was after an earlier phase
	missing
	swapped
)

// copyLength is how many bytes are taken from another place of a file.
const copyLength = 16

// ways are how a byte is changed. Each changes c, a copy of the file, at i.
var ways = []struct {
	name string
	make func(rng *rand.Rand, c []byte, i int)
}{
	{"zero", func(_ *rand.Rand, c []byte, i int) { c[i] = 0 }},
	{"0xFF", func(_ *rand.Rand, c []byte, i int) { c[i] = 0xFF }},
	{"one bit", func(rng *rand.Rand, c []byte, i int) { c[i] ^= 1 << rng.IntN(8) }},
	{"random", func(rng *rand.Rand, c []byte, i int) { c[i] ^= byte(1 + rng.IntN(255)) }},
	{"copy of another place", func(rng *rand.Rand, c []byte, i int) {
		copy(c[i:min(i+copyLength, len(c))], bytes.Clone(c[rng.IntN(meaningful(c)):]))
	}},
}

// copies is the number of the way that changes several bytes: they may be of two commits.
const copies = 4

func (d damage) String() string {
	switch d.Kind {
	case changed:
		return fmt.Sprintf("%s: byte %d: %s", d.File, d.At, ways[d.Way].name)
	case cut:
		return fmt.Sprintf("%s: cut to %d bytes", d.File, d.At)
	case older:
		return fmt.Sprintf("%s is as it was after phase %d", d.File, d.At+1)
	case missing:
		return d.File + " is missing"
	}
	return fmt.Sprintf("%s and %s are swapped", d.File, d.With)
}

// damaged returns the files of an image after a damage. Their contents are not to be
// changed.
func (img *image) damaged(d damage, seed uint64) map[string][]byte {
	files := maps.Clone(img.Files)
	content := files[d.File]
	switch d.Kind {
	case changed:
		c := bytes.Clone(content)
		ways[d.Way].make(rand.New(rand.NewPCG(seed, uint64(d.At*len(ways)+d.Way))), c, d.At)
		files[d.File] = c
	case cut:
		files[d.File] = content[:d.At]
	case older:
		files[d.File] = img.Older[d.At][d.File]
	case missing:
		delete(files, d.File)
	case swapped:
		files[d.File], files[d.With] = files[d.With], content
	}
	return files
}

// casesOf returns the cases of an image, in an order that is the same each time: the
// sample of the settings, or all.
func (s *settings) casesOf(img *image) (all []damage) {
	rng := rand.New(rand.NewPCG(s.seed, 2))
	logInUse := img.logInUse()
	for _, p := range parts {
		var bytesChanged, cuts []damage
		for _, name := range img.names() {
			if (name == logInUse) == p.isLog {
				bytesChanged = append(bytesChanged, changesOf(name, img.Files[name], p.isLog)...)
				cuts = append(cuts, cutsOf(name, img.Files[name], p.isLog)...)
			}
		}
		if !s.long {
			bytesChanged, cuts = sample(rng, bytesChanged, s.sample), sample(rng, cuts, s.sample/5)
		}
		all = slices.Concat(all, bytesChanged, cuts)
	}
	return append(all, misplacedOf(img, logInUse)...)
}

// sample returns n of the cases, in their order.
func sample(rng *rand.Rand, all []damage, n int) []damage {
	if n >= len(all) {
		return all
	}
	chosen := rng.Perm(len(all))[:n]
	slices.Sort(chosen)
	var some []damage
	for _, i := range chosen {
		some = append(some, all[i])
	}
	return some
}

// changesOf returns every byte of a file changed in every way, but for zeros made zero and
// 0xFF made that.
func changesOf(name string, content []byte, isLog bool) (all []damage) {
	for i := range meaningful(content) {
		for w := range ways {
			if w == 0 && content[i] == 0 || w == 1 && content[i] == 0xFF {
				continue
			}
			all = append(all, damage{Kind: changed, File: name, At: i, Way: w, IsLog: isLog})
		}
	}
	return all
}

// cutsOf returns a file cut to every length.
func cutsOf(name string, content []byte, isLog bool) (all []damage) {
	for n := range meaningful(content) {
		all = append(all, damage{Kind: cut, File: name, At: n, IsLog: isLog})
	}
	return all
}

// misplacedOf returns every file missing, each pair swapped, and every file as it was
// after each earlier phase. What is swapped, or put back, differs. The earlier form of a
// store of one file is a sound store: nothing is damaged.
func misplacedOf(img *image, logInUse string) (all []damage) {
	names := img.names()
	for i, name := range names {
		isLog := name == logInUse
		all = append(all, damage{Kind: missing, File: name, IsLog: isLog})
		for _, with := range names[i+1:] {
			if !bytes.Equal(img.Files[name], img.Files[with]) {
				all = append(all, damage{Kind: swapped, File: name, With: with})
			}
		}
		if len(names) == 1 {
			continue
		}
		seen := [][]byte{img.Files[name]}
		for phase, files := range img.Older {
			content, ok := files[name]
			if ok && !slices.ContainsFunc(seen, func(c []byte) bool { return bytes.Equal(c, content) }) {
				seen = append(seen, content)
				all = append(all, damage{Kind: older, File: name, At: phase, IsLog: isLog})
			}
		}
	}
	return all
}
