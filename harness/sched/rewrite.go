package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// The source of the store is rewritten for this harness, and for nobody else: a build
// without the overlay has no trace of it. Edits stay on their lines, so that stacks
// name the lines of the source.

// pointPath is the package that the rewritten source calls, as schedpoint.
const pointPath = "github.com/siltstonedb/siltstone/harness/sched/point"

// loud are the directories that have switch points, with those below them. Elsewhere
// the locks are those of package point alone, because nobody may wait for one unseen.
var loud = []string{".", "internal/engine", "internal/lifecycle", "internal/keyspace", "internal/storedir", "manifest", "vfs"}

// isLoud reports whether the package in dir has switch points.
func isLoud(dir string) bool {
	return slices.ContainsFunc(loud, func(l string) bool {
		return dir == l || l != "." && strings.HasPrefix(dir, l+"/")
	}) && dir != "vfs/vfstest"
}

// typesOf are the types and functions of package sync that package point has, too.
var typesOf = []string{"Mutex", "RWMutex", "Once", "OnceFunc", "Pool"}

// rewriter collects the edits of one file.
type rewriter struct {
	set  *token.FileSet
	src  []byte
	loud bool
	name string // of the package
	fn   string // the function around
	all  []edit
	err  error
}

// edit replaces the bytes from, to by text.
type edit struct {
	from, to int
	text     string
}

// rewrite returns the source of a file as the harness builds it. dir is its directory,
// from the module's root on.
func rewrite(dir, file string, src []byte) ([]byte, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, src, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return nil, err
	}
	r := &rewriter{set: set, src: src, loud: isLoud(dir), name: f.Name.Name}
	r.declarations(f)
	if r.err != nil {
		return nil, r.err
	}
	if len(r.all) == 0 {
		return src, nil
	}
	r.at(f.Name.End(), `; import schedpoint "`+pointPath+`"`)
	out := r.apply()
	for _, i := range f.Imports {
		if i.Path.Value == `"sync"` {
			out = append(out, "\nvar _ sync.Locker\n"...)
		}
		if i.Path.Value == `"time"` {
			out = append(out, "\nvar _ time.Duration\n"...)
		}
		if i.Path.Value == `"runtime"` {
			out = append(out, "\nvar _ runtime.Error\n"...)
		}
	}
	return out, nil
}

func (r *rewriter) apply() []byte {
	slices.SortStableFunc(r.all, func(a, b edit) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, e := range r.all {
		out.Write(r.src[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.Write(r.src[at:])
	return out.Bytes()
}

func (r *rewriter) offset(p token.Pos) int { return r.set.Position(p).Offset }

// at inserts text.
func (r *rewriter) at(p token.Pos, text string) { r.replace(p, p, text) }

func (r *rewriter) replace(from, to token.Pos, text string) {
	r.all = append(r.all, edit{r.offset(from), r.offset(to), text})
}

// point returns the quoted name of a switch point.
func (r *rewriter) point(p token.Pos) string {
	return strconv.Quote(fmt.Sprintf("%s.%s:%d", r.name, r.fn, r.set.Position(p).Line))
}

func (r *rewriter) declarations(f *ast.File) {
	for _, d := range f.Decls {
		r.fn = "init"
		if fn, ok := d.(*ast.FuncDecl); ok {
			r.fn = receiver(fn) + fn.Name.Name
		}
		ast.Inspect(d, r.node)
	}
}

// receiver returns the type of a method, with a dot.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	t := fn.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	if g, ok := t.(*ast.IndexExpr); ok {
		t = g.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}

// node rewrites one node.
func (r *rewriter) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "sync" && slices.Contains(typesOf, n.Sel.Name) {
			r.replace(pkg.Pos(), pkg.End(), "schedpoint")
		}
	case *ast.SelectStmt:
		r.choice(n)
	case *ast.GoStmt:
		r.replace(n.Pos(), n.Call.Pos(), "schedpoint.Go("+r.point(n.Pos())+", func() { ")
		r.at(n.End(), " })")
	case *ast.CallExpr:
		r.call(n)
	case *ast.BlockStmt:
		r.list(n.List)
	case *ast.CaseClause:
		r.list(n.Body)
	case *ast.CommClause:
		r.list(n.Body)
	case *ast.ForStmt:
		if r.loud && n.Cond != nil && shared(n.Cond) {
			r.at(n.Body.Lbrace+1, " schedpoint.At("+r.point(n.Pos())+"); ")
		}
	}
	return true
}

// call rewrites calls that start goroutines or wait for time.
func (r *rewriter) call(n *ast.CallExpr) {
	switch pkg, name := qualified(n.Fun); {
	case name == "AfterFunc" && (pkg == "time" || pkg == "context"):
		f := n.Args[1]
		r.at(f.Pos(), "schedpoint.Actor("+r.point(n.Pos())+", ")
		r.at(f.End(), ")")
	case pkg == "time" && name == "Sleep":
		r.replace(n.Pos(), n.Lparen+1, "schedpoint.Sleep("+r.point(n.Pos())+", ")
	case pkg == "runtime" && name == "Gosched":
		r.replace(n.Pos(), n.End(), "schedpoint.Yield("+r.point(n.Pos())+")")
	}
}

// qualified returns package and name of pkg.name.
func qualified(e ast.Expr) (pkg, name string) {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if id, ok := s.X.(*ast.Ident); ok {
			return id.Name, s.Sel.Name
		}
	}
	return "", ""
}

// choice turns a select statement without a default into a switch.
func (r *rewriter) choice(n *ast.SelectStmt) {
	var cases []string
	for _, c := range n.Body.List {
		c := c.(*ast.CommClause)
		switch comm := c.Comm.(type) {
		case nil: // it does not wait
			return
		case *ast.ExprStmt:
			if u, ok := comm.X.(*ast.UnaryExpr); ok && u.Op == token.ARROW {
				cases = append(cases, "schedpoint.Recv("+r.text(u.X)+")")
				continue
			}
		case *ast.SendStmt:
			cases = append(cases, "schedpoint.Send("+r.text(comm.Chan)+", "+r.text(comm.Value)+")")
			continue
		}
		r.err = fmt.Errorf("%v: a select statement whose cases are more than a receive or a send", r.set.Position(c.Pos()))
		return
	}
	r.replace(n.Pos(), n.Body.Lbrace, "switch schedpoint.Select("+r.point(n.Pos())+", "+strings.Join(cases, ", ")+") ")
	for i, c := range n.Body.List {
		c := c.(*ast.CommClause)
		r.replace(c.Comm.Pos(), c.Comm.End(), strconv.Itoa(i))
	}
	r.at(n.Body.Rbrace, `default: panic("no case"); `) // as a select, it ends a function
}

func (r *rewriter) text(e ast.Expr) string {
	return string(r.src[r.offset(e.Pos()):r.offset(e.End())])
}

// list puts points into a list of statements: before one that looks at what others
// change, and behind one that waits.
func (r *rewriter) list(all []ast.Stmt) {
	for _, s := range all {
		switch s.(type) {
		case *ast.CaseClause, *ast.CommClause:
			continue
		}
		if waits(s) {
			r.at(s.End(), "; schedpoint.Woken("+r.point(s.Pos())+")")
		}
		if r.loud && shared(s) {
			r.at(s.Pos(), "schedpoint.At("+r.point(s.Pos())+"); ")
		}
	}
}

// waits reports whether a statement receives from a channel or waits for a group.
func waits(s ast.Stmt) (found bool) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		for _, e := range s.Rhs {
			if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.ARROW {
				return true
			}
		}
	case *ast.ExprStmt:
		switch e := s.X.(type) {
		case *ast.UnaryExpr:
			return e.Op == token.ARROW
		case *ast.CallExpr:
			sel, ok := e.Fun.(*ast.SelectorExpr)
			return ok && sel.Sel.Name == "Wait" && len(e.Args) == 0
		}
	}
	return false
}

// sharing are the methods of locks, atomics and conditions, by their names, with their
// number of arguments.
var sharing = map[string]int{
	"Lock": 0, "RLock": 0, "TryLock": 0, "Load": 0, "Store": 1, "Add": 1, "Swap": 1, "CompareAndSwap": 2, "Broadcast": 0,
}

// shared reports whether a statement itself, not what is nested in it, looks at what
// others change.
func shared(n ast.Node) (found bool) {
	top := n
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit, *ast.DeferStmt, *ast.GoStmt:
			return false
		case *ast.BlockStmt:
			return n == top
		case *ast.SelectStmt:
			found = found || n == top
			return false
		case *ast.CaseClause:
			for _, e := range n.List {
				found = found || shared(e)
			}
			return false
		case *ast.SendStmt:
			found = true
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "close" {
				found = true
			}
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok {
				args, known := sharing[sel.Sel.Name]
				found = found || known && args == len(n.Args)
			}
		}
		return !found
	})
	return found
}
