// Package scripttest drives stores by text, for tests: a script is a file of
// commands with the answers they must give.
//
//	put a 1
//	get a
//	    1
//	begin t
//	t: get missing
//	    not found
//
// A line that is indented is part of the answer to the command above it. The
// language is described in testdata/scripts/README.md.
//
//	script.go   a file: commands, answers, and the ways it is to be run in
//	words.go    words of a line, and how bytes are shown
//	session.go  what a run holds: disk, clock, stores and what was opened by name
//	command.go  a command: its form, its target and its answer
//	*.go        the commands, in a table for each subject
//
// Everything is determined by the script: stores have no workers, time passes by
// the command "advance", and the disk is a vfstest.Disk.
package scripttest
