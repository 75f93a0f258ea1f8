package docs

import (
	"go/token"
	"go/types"
	"path"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/codec"
	"github.com/siltstonedb/siltstone/debughttp"
	"github.com/siltstonedb/siltstone/internal/gosource"
	"github.com/siltstonedb/siltstone/metrics"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// misusedFunctions are the exported functions of the packages that users import.
var misusedFunctions = map[string]any{
	"siltstone.Limit": siltstone.Limit[int], "siltstone.Open": siltstone.Open, "siltstone.OpenReplica": siltstone.OpenReplica,
	"siltstone.Repair": siltstone.Repair, "siltstone.ResetClock": siltstone.ResetClock, "siltstone.Restore": siltstone.Restore,
	"siltstone.RestoreKeyspace": siltstone.RestoreKeyspace, "siltstone.RestoreReplay": siltstone.RestoreReplay,
	"siltstone.VerifyBackup": siltstone.VerifyBackup, "siltstone.Prefix": siltstone.Prefix,
	"typed.UnixMilli": typed.UnixMilli, "typed.UnixSeconds": typed.UnixSeconds, "typed.ByBits": typed.ByBits,
	"typed.ByBytes": typed.ByBytes, "typed.ByBytesFrom": typed.ByBytesFrom, "typed.Prefix": typed.Prefix,
	"typed.ByLex": typed.ByLex, "typed.ByLexFrom": typed.ByLexFrom, "typed.ByLexTo": typed.ByLexTo,
	"typed.ByRank": typed.ByRank, "typed.ByScore": typed.ByScore,
	"codec.IntegerOf": codec.IntegerOf[int], "codec.StringOf": codec.StringOf[string], "codec.MapOf": codec.MapOf[int, int],
	"codec.NewPair": codec.NewPair[int, int], "codec.NewTriple": codec.NewTriple[int, int, int],
	"codec.NewQuad": codec.NewQuad[int, int, int, int], "codec.Tuple2": codec.Tuple2[int, int],
	"codec.Tuple3": codec.Tuple3[int, int, int], "codec.Tuple4": codec.Tuple4[int, int, int, int],
	"codec.StartsWith": codec.StartsWith[string], "codec.Between": codec.Between[int], "codec.Within": codec.Within[int],
	"codec.SetOf": codec.SetOf[int], "codec.ZSetOf": codec.ZSetOf[int], "codec.AsValue": codec.AsValue[int],
	"codec.Binary": codec.Binary[time.Time], "codec.Gob": codec.Gob[int], "codec.JSON": codec.JSON[int],
	"changes.ReadCommit": changes.ReadCommit, "changes.NewPosition": changes.NewPosition, "changes.ParsePosition": changes.ParsePosition,
	"metrics.LatencyBound": metrics.LatencyBound, "metrics.Figures": metrics.Figures,
	"archive.NewReader": archive.NewReader, "archive.NewWriter": archive.NewWriter, "archive.StateTables": archive.StateTables,
	"vfs.Abs": vfs.Abs, "vfs.IsNoSpace": vfs.IsNoSpace, "vfs.NewMem": vfs.NewMem,
	"debughttp.Handler": debughttp.Handler, "debughttp.Keys": debughttp.Keys,
}

func TestNoFunctionPanicsOnZeroArguments(t *testing.T) {
	t.Chdir(t.TempDir()) // some make a store
	for name, f := range misusedFunctions {
		callMisused(t, name, reflect.ValueOf(f), reflect.Zero)
		callMisused(t, name, reflect.ValueOf(f), plausible)
	}
}

// The lists of the tests of misuse have every exported function, and every exported type
// that has methods.
func TestWhateverIsExportedIsMisusedByATest(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	db := openInMemory()
	defer db.Close()
	misused := map[string]bool{}
	for _, receiver := range misusedReceivers(db) {
		typ := reflect.TypeOf(receiver())
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		name, _, _ := strings.Cut(typ.Name(), "[")
		misused[path.Base(typ.PkgPath())+"."+name] = true
	}
	for name := range misusedFunctions {
		misused[name] = true
	}
	paths := []string{modulePath}
	for _, dir := range []string{"typed", "codec", "changes", "event", "metrics", "explain", "archive", "vfs", "debughttp"} {
		paths = append(paths, modulePath+"/"+dir)
	}
	imports, err := gosource.Importer(token.NewFileSet(), ".", paths...)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range paths {
		pkg, err := imports.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range pkg.Scope().Names() {
			if object := pkg.Scope().Lookup(name); object.Exported() && isCalled(object) {
				if seen++; !misused[pkg.Name()+"."+name] {
					t.Errorf("no test misuses %s.%s", pkg.Name(), name)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d functions and types were seen", seen)
	}
}

// isCalled reports whether an identifier is a function, or a type with exported methods
// that is no interface.
func isCalled(object types.Object) bool {
	if _, isFunction := object.(*types.Func); isFunction {
		return true
	}
	if _, isType := object.(*types.TypeName); !isType || types.IsInterface(object.Type()) {
		return false
	}
	for m := range types.NewMethodSet(types.NewPointer(object.Type())).Methods() {
		if m.Obj().Exported() {
			return true
		}
	}
	return false
}
