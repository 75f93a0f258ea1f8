package main

import (
	"fmt"
	"os"
)

// The program leaves its store in the working directory, so it runs in a
// temporary one.
func Example() {
	dir, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.Chdir(dir); err != nil {
		fmt.Println(err)
		return
	}
	if err := run(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// greeting: hello
	// board is a zset
	// greeting is a string
	// user:1 is a hash
}
