package raftstore

import (
	"flag"
	"os"
	"testing"

	"github.com/siltstonedb/siltstone/internal/leaktest"
)

var long = flag.Bool("long", false, "also run processes, kill and pause them, and cut their network")

func TestMain(m *testing.M) {
	flag.Parse()
	if dir := os.Getenv(childLogDir); dir != "" {
		runLogChild(dir)
		return
	}
	leaktest.Main(m)
}
