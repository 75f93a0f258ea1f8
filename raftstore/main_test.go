package raftstore

import (
	"flag"
	"os"
	"testing"

	"github.com/siltstonedb/siltstone/internal/leaktest"
)

var long = flag.Bool("long", false, "also run processes, kill and pause them, and cut their network")

// programs are what this executable is instead of tests, by the variable of the
// environment that holds the program's argument.
var programs = map[string]func(arg string){}

func TestMain(m *testing.M) {
	flag.Parse()
	for name, run := range programs {
		if arg := os.Getenv(name); arg != "" {
			run(arg)
			return
		}
	}
	leaktest.Main(m)
}
