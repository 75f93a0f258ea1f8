package main

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// image is the files of a sound store, as a kill of its process leaves them.
type image struct {
	Engine string
	Files  map[string][]byte
	Older  []map[string][]byte // its files after each phase, oldest first
}

// build writes the history to a store in dir, and returns its files while it is open.
func build(k engineKind, dir string, h *history) (*image, error) {
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	img := &image{Engine: k.name}
	for i, phase := range h.phases {
		s, err := k.open(dir)
		if err != nil {
			return nil, err
		}
		for _, commit := range phase {
			if err := s.Commit(commit); err != nil {
				return nil, errors.Join(err, s.Close())
			}
		}
		last := i == len(h.phases)-1
		if !last {
			err = s.Flush()
		} else {
			img.Files, err = filesIn(dir)
		}
		if err = errors.Join(err, s.Close()); err != nil {
			return nil, err
		}
		if !last {
			older, err := filesIn(dir)
			if err != nil {
				return nil, err
			}
			img.Older = append(img.Older, older)
		}
	}
	return img, img.verify(k, dir+".again", h)
}

// verify looks that the image, undamaged, opens to the last state.
func (img *image) verify(k engineKind, dir string, h *history) error {
	defer os.RemoveAll(dir)
	if err := img.lay(dir, img.Files); err != nil {
		return err
	}
	a := ask(k, dir, h)
	if v, why := h.judge(a, damage{}); v != harmless {
		return fmt.Errorf("the sound store is %s: %s", v, why)
	}
	return nil
}

// filesIn returns the files of a directory.
func filesIn(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if e.IsDir() {
			return nil, fmt.Errorf("%s is a directory", e.Name())
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// lay makes dir and the files in it. Zeros at their ends are left as holes.
func (img *image) lay(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, bytes.TrimRight(content, "\x00"), 0o644); err != nil {
			return err
		}
		if err := os.Truncate(name, int64(len(content))); err != nil {
			return err
		}
	}
	return nil
}

// names returns the files that are damaged, in order: those that hold something.
func (img *image) names() []string {
	var names []string
	lock := img.kind().lock
	for _, name := range slices.Sorted(maps.Keys(img.Files)) {
		if name != lock && meaningful(img.Files[name]) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// meaningful is the length of a file without the zeros at its end, but for some of them.
func meaningful(content []byte) int {
	used := len(bytes.TrimRight(content, "\x00"))
	if used == 0 {
		return 0
	}
	return min(len(content), used+64)
}

// logInUse returns the name of the log in use: the last in order has the highest number.
func (img *image) logInUse() (last string) {
	if k := img.kind(); k.log != "" {
		for _, name := range img.names() {
			if strings.HasSuffix(name, k.log) {
				last = name
			}
		}
	}
	return last
}

// kind returns the engine of the image.
func (img *image) kind() engineKind {
	for _, k := range engineKinds() {
		if k.name == img.Engine {
			return k
		}
	}
	return engineKind{}
}

// size is how many files and bytes are damaged: of the log in use, or of the others.
func (img *image) size(isLog bool) (files, bytes int) {
	for _, name := range img.names() {
		if (name == img.logInUse()) == isLog {
			files++
			bytes += meaningful(img.Files[name])
		}
	}
	return files, bytes
}

func (img *image) write(name string) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(img); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

func readImage(name string) (*image, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	img := new(image)
	return img, gob.NewDecoder(bytes.NewReader(content)).Decode(img)
}
