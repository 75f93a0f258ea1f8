package main

import (
	"encoding/gob"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// runCases is the process that runs the cases that stand in its standard input; -from is
// the number of the first. It prints a line before
// each and one after it, so that the case in which it died is known.
func (s *settings) runCases() error {
	chosen, err := chooseEngines(s.engines)
	if err != nil {
		return err
	}
	k := chosen[0]
	img, err := readImage(filepath.Join(s.dir, k.name+".image"))
	if err != nil {
		return err
	}
	h := newHistory(s.seed)
	var cases []damage
	if err := gob.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		return err
	}
	for i, d := range cases {
		i += s.from
		dir := s.caseDir(k, i)
		if err := img.lay(dir, img.damaged(d, s.seed)); err != nil {
			return err
		}
		fmt.Println("begin", i)
		v, why := oneCase(k, dir, h, d)
		fmt.Println("end", i, strconv.Quote(string(v)), strconv.Quote(why))
		if err := os.RemoveAll(dir); err != nil || v == crash {
			return nil // something goes on in the background: the parent starts another process
		}
	}
	return nil
}

// oneCase asks a damaged store. A panic of its own goroutine is caught here; that of
// another one ends the process, and the parent counts it.
func oneCase(k engineKind, dir string, h *history, d damage) (v verdict, why string) {
	defer func() {
		if r := recover(); r != nil {
			stack := strings.Split(string(debug.Stack()), "\n")
			v, why = crash, fmt.Sprintf("panic: %v, in %s", r, strings.Join(stack[min(7, len(stack)):min(11, len(stack))], " "))
		}
	}()
	return h.judge(ask(k, dir, h), d)
}
