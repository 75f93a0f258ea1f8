// Knot shows how the files of a package hang together: it type-checks the package,
// and prints the largest set of files in which each reaches each other. The larger
// it is, the less can be read or moved by itself.
//
//	go run ./harness/knot .             the root package
//	go run ./harness/knot -pairs typed  and which files use each other
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/siltstonedb/siltstone/internal/gosource"
)

func main() {
	pairs := flag.Bool("pairs", false, "print the pairs of files that use each other")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: knot [-pairs] DIRECTORY")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *pairs); err != nil {
		fmt.Fprintln(os.Stderr, "knot:", err)
		os.Exit(1)
	}
}

func run(dir string, pairs bool) error {
	g, err := gosource.Uses(dir)
	if err != nil {
		return err
	}
	mutual := g.Mutual()
	fmt.Printf("%d files, %d uses of one by another, %d pairs that use each other\n", len(g), g.Arrows(), len(mutual))
	for i, knot := range g.Knots() {
		if i > 0 && len(knot) == 1 {
			break
		}
		fmt.Printf("knot of %d: %s\n", len(knot), strings.Join(knot, " "))
	}
	if pairs {
		for _, p := range mutual {
			fmt.Println("pair:", p[0], p[1])
		}
	}
	return nil
}
