package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/gosource"
)

// quotedCode is a block that says which file it is from: ```go examples/queue/queue.go
var quotedCode = regexp.MustCompile("(?ms)^```go (\\S+)\n(.*?)^```")

// TestQuotedCodeIsThatOfItsFile holds blocks of the documents to the files that they name. A
// block may have a part of a function, one tab further left.
func TestQuotedCodeIsThatOfItsFile(t *testing.T) {
	quoted := map[string]bool{}
	for _, name := range documents(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range quotedCode.FindAllStringSubmatch(string(text), -1) {
			file, err := os.ReadFile(m[1])
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			quoted[m[1]] = true
			if !hasLines(string(file), m[2]) && !hasLines(string(file), indented(m[2])) {
				first, _, _ := strings.Cut(m[2], "\n")
				t.Errorf("%s: what it shows of %s is not there, or not so: %s", name, m[1], first)
			}
		}
	}
	recipes, err := filepath.Glob("examples/cookbook/*_test.go")
	if err != nil || len(recipes) < 5 {
		t.Fatal(recipes, err)
	}
	for _, file := range recipes {
		if file != "examples/cookbook/cookbook_test.go" && !quoted[file] {
			t.Errorf("docs/cookbook.md shows nothing of %s", file)
		}
	}
}

// hasLines reports whether text has these lines one behind the other.
func hasLines(text, lines string) bool { return strings.Contains("\n"+text, "\n"+lines) }

func indented(lines string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		if line != "\n" {
			b.WriteByte('\t')
		}
		b.WriteString(line)
	}
	return b.String()
}

// guideStart is what stands before the calls of a guide: the names that they use.
const guideStart = `package p

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/codec"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

var (
	_ = slog.Default
	_ = vfs.NewMem
	_ = codec.String
	_ typed.Type

	ctx            context.Context
	db             *siltstone.DB
	ks             *siltstone.Keyspace
	tx             *siltstone.Tx
	snap           *siltstone.Snapshot
	it             *siltstone.Iterator
	b              *siltstone.Batch
	r              siltstone.Range
	dir, dst, name string
	key, value     []byte
	err            error
	fn             func(*siltstone.Tx) error
	ttl            time.Duration
	w              io.Writer
	stream         io.Reader
)

func use(...any) {}
`

// TestTheCallsOfTheGuidesCompile type-checks what stands in the column of Siltstone in the
// tables of docs/from-*.md: each span in backquotes is an expression or a statement.
func TestTheCallsOfTheGuidesCompile(t *testing.T) {
	guides, err := filepath.Glob("docs/from-*.md")
	if err != nil || len(guides) < 4 {
		t.Fatal(guides, err)
	}
	fset := token.NewFileSet()
	imported := map[string]bool{}
	var files []*ast.File
	for _, name := range guides {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		calls := guideCalls(string(text))
		if len(calls) < 15 {
			t.Errorf("%s has %d calls: were they found?", name, len(calls))
		}
		for _, call := range calls {
			f, err := parser.ParseFile(fset, name+": "+call, guideStart+guideFunc(call), 0)
			if err != nil {
				t.Errorf("%s: %s: %v", name, call, err)
				continue
			}
			files = append(files, f)
			for _, spec := range f.Imports {
				imported[strings.Trim(spec.Path.Value, `"`)] = true
			}
		}
		if !strings.Contains(string(text), "siltstone import ") {
			t.Errorf("%s has no line that imports", name)
		}
	}
	imports, err := gosource.Importer(fset, ".", slices.Sorted(maps.Keys(imported))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := checkBlock(fset, imports, f); err != nil {
			t.Errorf("%s: %v", fset.File(f.Pos()).Name(), err)
		}
	}
}

// guideCalls returns the spans in backquotes of the second columns of tables.
func guideCalls(text string) (calls []string) {
	for line := range strings.Lines(text) {
		columns := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(columns) < 2 {
			continue
		}
		for _, m := range inTicks.FindAllStringSubmatch(columns[1], -1) {
			calls = append(calls, m[1])
		}
	}
	return calls
}

// guideFunc makes a function of a call, an expression or a statement.
func guideFunc(call string) string {
	if e, err := parser.ParseExpr(call); err == nil {
		if _, isCall := e.(*ast.CallExpr); !isCall {
			call = "use(" + call + ")"
		}
	}
	return fmt.Sprintf("\nfunc call() error {\n%s\nreturn err\n}\n", call)
}

func TestACallThatDoesNotExistIsFound(t *testing.T) {
	fset := token.NewFileSet()
	imports, err := gosource.Importer(fset, ".", "context", "io", "log/slog", "time", modulePath, modulePath+"/codec", modulePath+"/typed", modulePath+"/vfs")
	if err != nil {
		t.Fatal(err)
	}
	for call, good := range map[string]bool{
		"db.Get(key)":                    true,
		"siltstone.Prefix(key)":          true,
		"siltstone.Range{Lower: key}":    true,
		"for range db.Scan(r) {}":        true,
		"db.Got(key)":                    false,
		"db.Get(name)":                   false,
		"siltstone.Options{Speed: true}": false,
	} {
		f, err := parser.ParseFile(fset, "guide", guideStart+guideFunc(call), 0)
		if err == nil {
			err = checkBlock(fset, imports, f)
		}
		if (err == nil) != good {
			t.Errorf("%s: %v", call, err)
		}
	}
}
