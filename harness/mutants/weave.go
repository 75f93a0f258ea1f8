package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
)

// chosenBy is the variable of the environment that says which mutant is on: its place in
// the list, from 1 on. Without it none is.
const chosenBy = "SILTSTONE_MUTANT"

// weave returns the files of the module at root in which every mutant is, with their new
// texts. A function with a fault has a copy for it behind all functions, which it calls
// if that fault is on. So the tests of a package are compiled once for all faults.
func weave(root string, all []mutant) (map[string][]byte, error) {
	ids := map[string][]int{} // by file
	for i := range all {
		ids[all[i].file] = append(ids[all[i].file], i)
	}
	files := map[string][]byte{}
	for name, in := range ids {
		f, err := newWoven(root, &all[in[0]])
		for _, i := range in {
			if err == nil {
				err = f.add(root, &all[i], i+1)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", all[i].name, err)
			}
		}
		files[name] = f.text()
		files[path.Join(path.Dir(name), "mutant_chosen.go")] = fmt.Appendf(nil, chosenFile, f.parsed.Name.Name, chosenBy)
	}
	return files, nil
}

const chosenFile = `package %s

import (
	mutantOS "os"
	mutantConv "strconv"
)

var mutantOn, _ = mutantConv.Atoi(mutantOS.Getenv(%q))
`

// woven is a file with faults.
type woven struct {
	original string
	set      *token.FileSet
	parsed   *ast.File
	inserted []insertion
	copies   bytes.Buffer
}

// insertion is text that is put before an offset in the place of some bytes.
type insertion struct {
	at, instead int
	text        string
}

func newWoven(root string, m *mutant) (*woven, error) {
	text, err := m.original(root)
	if err != nil {
		return nil, err
	}
	f := &woven{original: text, set: token.NewFileSet()}
	f.parsed, err = parser.ParseFile(f.set, m.file, text, parser.SkipObjectResolution|parser.ParseComments)
	return f, err
}

func (f *woven) offset(p token.Pos) int { return f.set.Position(p).Offset }

// add weaves one mutant in.
func (f *woven) add(root string, m *mutant, id int) error {
	if _, err := m.apply(root); err != nil {
		return err
	}
	at := strings.Index(f.original, m.old)
	d := f.function(at, at+len(m.old))
	if d == nil {
		return fmt.Errorf("its text is in no function")
	}
	from, name, end := f.offset(d.Pos()), f.offset(d.Name.Pos()), f.offset(d.End())
	copied := fmt.Sprintf("%sMutant%d", d.Name.Name, id)
	faulty := strings.Replace(f.original[name+len(d.Name.Name):end], m.old, m.new, 1)
	fmt.Fprintf(&f.copies, "\n//line %s:1\n%s%s%s\n", m.name, f.original[from:name], copied, faulty)
	call := copied + "(" + strings.Join(f.arguments(d.Type.Params), ", ") + ")"
	if d.Recv != nil {
		call = f.arguments(d.Recv)[0] + "." + call
	}
	if d.Type.Results != nil {
		call = "return " + call
	} else {
		call += "; return"
	}
	// On the line of the brace, so that lines stay what they are.
	f.inserted = append(f.inserted, insertion{at: f.offset(d.Body.Lbrace) + 1, text: fmt.Sprintf(" if mutantOn == %d { %s }; ", id, call)})
	return nil
}

// function returns the function whose body has the text from offset on.
func (f *woven) function(from, end int) *ast.FuncDecl {
	for _, d := range f.parsed.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil && f.offset(d.Body.Lbrace) < from && end <= f.offset(d.Body.Rbrace) {
			return d
		}
	}
	return nil
}

// arguments returns the parameters as they are passed on. Those without a name get one.
func (f *woven) arguments(l *ast.FieldList) (all []string) {
	for _, p := range l.List {
		names := p.Names
		if names == nil {
			names = []*ast.Ident{{NamePos: p.Type.Pos()}}
		}
		for _, n := range names {
			name := n.Name
			if name == "" || name == "_" {
				name = fmt.Sprintf("mutantArg%d", f.offset(n.NamePos))
				i := insertion{f.offset(n.NamePos), len(n.Name), name + strings.Repeat(" ", 1-len(n.Name))}
				if !slices.Contains(f.inserted, i) {
					f.inserted = append(f.inserted, i)
				}
			}
			if _, variadic := p.Type.(*ast.Ellipsis); variadic {
				name += "..."
			}
			all = append(all, name)
		}
	}
	return all
}

func (f *woven) text() []byte {
	slices.SortStableFunc(f.inserted, func(a, b insertion) int { return a.at - b.at })
	var b bytes.Buffer
	at := 0
	for _, i := range f.inserted {
		b.WriteString(f.original[at:i.at])
		b.WriteString(i.text)
		at = i.at + i.instead
	}
	b.WriteString(f.original[at:])
	b.Write(f.copies.Bytes())
	return b.Bytes()
}
