package siltstone

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/gosource"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// userPackages are what a program over the store imports.
var userPackages = []string{".", "typed", "codec", "changes", "event", "metrics", "explain", "archive", "vfs", "debughttp"}

// The rules that docs/api.md states and that a test can hold.

func TestNoExportedIdentifierHasAnInternalType(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	paths := make([]string, len(userPackages))
	for i, dir := range userPackages {
		paths[i] = strings.TrimSuffix(modulePath+"/"+dir, "/.")
	}
	imports, err := gosource.Importer(token.NewFileSet(), ".", paths...)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		pkg, err := imports.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range pkg.Scope().Names() {
			if object := pkg.Scope().Lookup(name); object.Exported() {
				seen := surface{t: t, of: pkg.Name() + "." + name}
				seen.object(object)
			}
		}
	}
}

// surface walks what an identifier shows to users.
type surface struct {
	t  *testing.T
	of string
}

func (s surface) object(o types.Object) {
	name, isType := o.(*types.TypeName)
	if !isType {
		s.typ(o.Type())
		return
	}
	if name.IsAlias() {
		s.t.Errorf("%s is an alias of %v", s.of, o.Type())
	}
	if named, ok := o.Type().(*types.Named); ok {
		for p := range named.TypeParams().TypeParams() {
			s.typ(p.Constraint())
		}
	}
	if _, isInterface := o.Type().Underlying().(*types.Interface); !isInterface {
		s.methods(types.NewPointer(o.Type()))
	}
	s.typ(o.Type().Underlying())
}

// methods walks those that are promoted too.
func (s surface) methods(typ types.Type) {
	set := types.NewMethodSet(typ)
	for m := range set.Methods() {
		if m.Obj().Exported() {
			surface{s.t, s.of + "." + m.Obj().Name()}.typ(m.Type())
		}
	}
}

// typ refuses a type that is, or is made of, an internal one.
func (s surface) typ(typ types.Type) {
	switch typ := typ.(type) {
	case *types.Named:
		if p := typ.Obj().Pkg(); p != nil && strings.Contains(p.Path(), "/internal/") && strings.HasPrefix(p.Path(), modulePath) {
			s.t.Errorf("%s shows %v", s.of, typ)
		}
		for arg := range typ.TypeArgs().Types() {
			s.typ(arg)
		}
	case *types.Signature:
		for v := range typ.Params().Variables() {
			s.typ(v.Type())
		}
		for v := range typ.Results().Variables() {
			s.typ(v.Type())
		}
	case *types.Struct:
		for f := range typ.Fields() {
			if f.Exported() {
				s.typ(f.Type())
			}
		}
	case *types.Interface:
		for m := range typ.Methods() {
			s.typ(m.Type())
		}
	case *types.Map:
		s.typ(typ.Key())
		s.typ(typ.Elem())
	case interface{ Elem() types.Type }:
		s.typ(typ.Elem())
	}
}

func TestEveryExportedIdentifierIsDocumentedAndNoneIsOfSomethingInternal(t *testing.T) {
	for _, dir := range userPackages {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			d := declarations{t: t, path: path, internal: internalNames(f)}
			for _, decl := range f.Decls {
				d.check(decl)
			}
		}
	}
}

// internalNames returns the names under which a file imports internal packages.
func internalNames(f *ast.File) (names []string) {
	for _, spec := range f.Imports {
		if path, _ := strconv.Unquote(spec.Path.Value); strings.Contains(path, "/internal/") {
			names = append(names, path[strings.LastIndex(path, "/")+1:])
		}
	}
	return names
}

// declarations looks at those of one file.
type declarations struct {
	t        *testing.T
	path     string
	internal []string
}

func (d declarations) documented(name string, docs ...*ast.CommentGroup) {
	if ast.IsExported(name) && !slices.ContainsFunc(docs, func(c *ast.CommentGroup) bool { return c != nil }) {
		d.t.Errorf("%s: %s has no documentation", d.path, name)
	}
}

func (d declarations) check(decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		// String and Error say all by their names.
		if decl.Recv == nil || ast.IsExported(receiver(decl)) && decl.Name.Name != "String" && decl.Name.Name != "Error" {
			d.documented(decl.Name.Name, decl.Doc)
		}
	case *ast.GenDecl:
		// A block of constants of one type is documented by the type.
		typed := false
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				d.documented(spec.Name.Name, decl.Doc, spec.Doc)
			case *ast.ValueSpec:
				typed = typed || spec.Type != nil
				for _, name := range spec.Names {
					if typed && decl.Tok == token.CONST {
						continue
					}
					d.documented(name.Name, decl.Doc, spec.Doc, spec.Comment)
				}
				if decl.Tok == token.CONST && ast.IsExported(spec.Names[0].Name) {
					d.ownValues(spec)
				}
			}
		}
	}
}

// ownValues refuses a constant whose documentation would be a name that users
// cannot look up.
func (d declarations) ownValues(spec *ast.ValueSpec) {
	for _, v := range spec.Values {
		ast.Inspect(v, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(d.internal, x.Name) {
					d.t.Errorf("%s: %s is %s.%s", d.path, spec.Names[0].Name, x.Name, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

// receiver returns the name of the type that a method is of.
func receiver(f *ast.FuncDecl) string {
	name := strings.TrimPrefix(types.ExprString(f.Recv.List[0].Type), "*")
	name, _, _ = strings.Cut(name, "[")
	return name
}

func TestThePublicLimitsAndNumbersAreThoseWithin(t *testing.T) {
	for _, same := range []bool{
		MaxKeyLen == base.MaxKeyLen, MaxValueLen == base.MaxValueLen, MaxKeyspaceName == keyspace.MaxNameLen,
		typed.TypeString == typed.Type(record.TypeString), typed.TypeHash == typed.Type(record.TypeHash),
		typed.TypeSet == typed.Type(record.TypeSet), typed.TypeZSet == typed.Type(record.TypeZSet),
		typed.TypeList == typed.Type(record.TypeList), typed.TypeNone == typed.Type(record.TypeNone),
	} {
		if !same {
			t.Error("a public constant differs from the one that the engine goes by")
		}
	}
	var public *CorruptionError
	if err := base.In(base.Corruptf("f", 7, "torn"), "there"); !errors.As(err, &public) || public.File != "f" || public.Offset != 7 || !errors.Is(public, ErrCorruption) {
		t.Errorf("%v as a CorruptionError is %+v", err, public)
	}
	if other := new(*fs.PathError); errors.As(base.Corruptf("f", 7, "torn"), other) {
		t.Error("a CorruptionError is another error")
	}
}

func TestTheRulesOfTheAPIAreWrittenDown(t *testing.T) {
	text, err := os.ReadFile("docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range []string{"Who has which calls", "Bytes and strings", "Absence", "Time to live", "Loops", "Whose bytes", "Context", "Durability", "Names", "Errors", "Misuse"} {
		if !strings.Contains(string(text), "## "+section+"\n") {
			t.Errorf("docs/api.md says nothing of %s", section)
		}
	}
}

// Three words for an end: whoever has found one of them learns of the other two.
func TestTheDocOfEachOfDeleteDropAndRemoveNamesTheOtherTwo(t *testing.T) {
	t.Parallel()
	words := []string{"Delete", "Drop", "Remove"}
	seen := map[string]int{}
	for _, dir := range userPackages {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range f.Decls {
				method, ok := decl.(*ast.FuncDecl)
				if !ok || method.Recv == nil || !ast.IsExported(receiver(method)) || !slices.Contains(words, method.Name.Name) || dir == "vfs" {
					continue // vfs removes files
				}
				seen[method.Name.Name]++
				for _, word := range words {
					if !strings.Contains(method.Doc.Text(), word) {
						t.Errorf("%s: %s.%s does not name %s", path, receiver(method), method.Name.Name, word)
					}
				}
				if method.Name.Name == "Drop" && method.Type.Results.NumFields() != 2 {
					t.Errorf("%s: %s.Drop does not answer", path, receiver(method))
				}
			}
		}
	}
	if seen["Delete"] < 4 || seen["Drop"] < 2 || seen["Remove"] < 7 {
		t.Errorf("seen: %v", seen)
	}
}

// Outside its package a bare None or Default says nothing of what it chooses.
func TestEveryConstantOfATypeCarriesTheWordOfItsType(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	words := map[string]string{"OpKind": "Op", "BitOp": "Bit", "FigureKind": "Figure"} // others: the name of the type
	seen := 0
	for _, dir := range userPackages {
		path := strings.TrimSuffix(modulePath+"/"+dir, "/.")
		imports, err := gosource.Importer(token.NewFileSet(), ".", path)
		if err != nil {
			t.Fatal(err)
		}
		pkg, err := imports.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range pkg.Scope().Names() {
			constant, ok := pkg.Scope().Lookup(name).(*types.Const)
			if !ok || !constant.Exported() {
				continue
			}
			typ, ok := constant.Type().(*types.Named)
			if !ok || typ.Obj().Pkg() != pkg {
				continue
			}
			seen++
			word := cmp.Or(words[typ.Obj().Name()], typ.Obj().Name())
			if !strings.HasPrefix(name, word) && !strings.HasSuffix(name, word) {
				t.Errorf("%s.%s does not say that it is a %s", pkg.Name(), name, word)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d constants were seen", seen)
	}
}

// An error is read by somebody who did not write the call: it says what it is about.
func TestErrorsSayWhatTheyAreAbout(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), newHandClock())
	putAt(t, db, SyncDurability, "s", "text")
	if _, err := db.Hash("h").Set("f", []byte("1.x")); err != nil {
		t.Fatal(err)
	}
	long := make([]byte, 102400)
	batch := func(fill func(b *Batch), level Durability) error {
		var b Batch
		fill(&b)
		return db.Apply(&b, level)
	}
	_, openErr := Open("db", &Options{FS: vfs.NewMem(), MemoryLimit: 1 << 20})
	_, scoreErr := db.ZSet("z").Add("m", math.NaN())
	writes := func(tx *Tx) error { _, err := tx.Hash("h").Set("f", nil); return err }
	if err := db.opts.FS.MkdirAll("there"); err != nil {
		t.Fatal(err)
	}
	checkpointErr := db.Checkpoint(context.Background(), "there")
	ended, err := db.CreateKeyspace("ended")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.DropKeyspace("ended"); err != nil {
		t.Fatal(err)
	}
	_, modeErr := db.Begin(context.Background(), 0)
	_, getErr := db.Get([]byte("h"))
	_, typeErr := db.Hash("s").Set("f", nil)
	_, nameErr := db.CreateKeyspace(strings.Repeat("n", 300))
	_, noneErr := db.Keyspace("none")
	_, incrErr := db.Hash("h").Incr("f", 1)
	_, bothErr := db.String("s").SetWith(nil, typed.SetOptions{TTL: 1, KeepTTL: true})
	_, condErr := db.ZSet("z").AddMany(typed.CondNX | typed.CondGT)
	_, rangeErr := db.ZSet("z").RemoveRange(typed.ZRange{})
	for _, c := range []struct {
		err  error
		kind error
		want string
	}{
		{getErr, ErrWrongType, `key "h" holds a hash, not a string`},
		{typeErr, ErrWrongType, `key "s" holds a string, not a hash`},
		{db.Put(long, nil), ErrKeyTooLarge, "key has 102400 bytes, the limit is 65536"},
		{nameErr, ErrKeyTooLarge, "name of a keyspace has 300 bytes, the limit is 255"},
		{batch(func(b *Batch) { b.Put([]byte("k"), nil); b.Put(nil, nil) }, SyncDurability), ErrEmptyKey, "batch operation 2 (put): empty key"},
		{noneErr, ErrNotFound, `there is no keyspace "none"`},
		{openErr, ErrBadOption, "option MemoryLimit: 1048576 is below the least, 8388608"},
		{batch(func(b *Batch) { b.Put([]byte("k"), nil) }, 77), ErrBadOption, "there is no durability(77)"},
		{modeErr, ErrBadOption, "there is no transaction mode 0: it is ReadOnlyMode or ReadWriteMode"},
		{bothErr, ErrBadOption, "SetOptions: TTL, At and KeepTTL exclude one another"},
		{condErr, ErrBadOption, "the conditions NX and GT contradict each other"},
		{rangeErr, ErrBadOption, "the zero ZRange chooses nothing: use ByRank, ByScore or ByLex"},
		{db.View(context.Background(), func(tx *Tx) error { return tx.Put([]byte("k"), nil) }), ErrReadOnly, "Put in a read-only transaction"},
		{checkpointErr, fs.ErrExist, `checkpoint to "there": create there: file already exists`},
		{db.View(context.Background(), writes), ErrReadOnly, `key "h": a call that writes in a read-only transaction`},
		{scoreErr, ErrNaN, `key "z": the score of member "m" is not a number (NaN)`},
		{db.DropKeyspace("none"), ErrNotFound, `there is no keyspace "none"`},
		{ended.Put([]byte("k"), nil), ErrDropped, `keyspace "ended" has been dropped`},
		{incrErr, ErrNotNumber, `key "h", field "f": value is not a number`},
		{db.Update(context.Background(), func(tx *Tx) error {
			return db.Update(tx.Context(), func(*Tx) error { return nil })
		}), ErrNested, "Update called with the context of a running Update; use its Tx"},
	} {
		if c.err == nil || c.err.Error() != "siltstone: "+c.want || c.kind != nil && !errors.Is(c.err, c.kind) {
			t.Errorf("%v\nwant %s", c.err, c.want)
		}
	}
}

func TestErrorsOfOpenSayWhatWasBeingDone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(filepath.Join(dir, "open"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	full := vfs.NewMem()
	full.SetCapacity(1)
	for _, c := range []struct {
		dir  string
		o    *Options
		kind error
	}{
		{"", nil, fs.ErrNotExist},
		{filepath.Join(dir, "missing"), &Options{MustExist: true}, fs.ErrNotExist},
		{filepath.Join(dir, "missing"), &Options{ReadOnly: true}, fs.ErrNotExist},
		{file, nil, nil},
		{filepath.Join(dir, "open"), nil, ErrLocked},
		{"full", &Options{FS: full}, ErrNoSpace},
	} {
		_, err := Open(c.dir, c.o)
		if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("siltstone: open %q: ", c.dir)) || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("Open(%q): %v", c.dir, err)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "siltstone: ") != 1) {
			t.Errorf("not one line with one prefix: %q", err)
		}
	}
	if _, err := Repair(context.Background(), filepath.Join(dir, "open"), filepath.Join(dir, "new"), nil); !errors.Is(err, ErrLocked) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Repair of an open store: %q", err)
	}
}

func TestTheStackOfAnOpenHandleBeginsWithItsCaller(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), newHandClock(), func(o *Options) { o.TrackOpen = true })
	for range db.Scan(Range{}) {
	}
	err := db.View(context.Background(), func(*Tx) error {
		if stack := db.OpenHandles()[0].Stack; !strings.HasPrefix(stack, "github.com/siltstonedb/siltstone.TestTheStack") {
			t.Errorf("the stack is\n%s", stack)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Reads of more tables than are kept open open them again and again, so a store with more
// memory keeps more of them open.
func TestFilesKeptOpenAreAsManyAsMemoryAndTheProcessAllow(t *testing.T) {
	for _, c := range []struct {
		memory, most int64
		want         int
	}{
		{8 << 20, 0, 256}, {64 << 20, 1 << 20, 256}, {256 << 20, 0, 1024}, {256 << 20, 1 << 20, 1024}, {4 << 30, 1 << 20, 16384},
		{4 << 30, 20_000, 5000}, {256 << 20, 1024, 256}, {256 << 20, 256, 64},
	} {
		if got := openFiles(c.memory, c.most); got != c.want {
			t.Errorf("with %d bytes and %d files: %d, want %d", c.memory, c.most, got, c.want)
		}
	}
}
