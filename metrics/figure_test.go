package metrics

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// published returns all values, as text.
func published(m *Metrics) string {
	var b strings.Builder
	for _, f := range Figures() {
		for _, v := range f.Values(m) {
			fmt.Fprintln(&b, f.Name, v.Label, v.Number)
			if v.Latency != nil {
				fmt.Fprintln(&b, *v.Latency)
			}
		}
	}
	return b.String()
}

// A field that is added to Metrics and to no figure would never be seen on a dashboard.
func TestEveryFieldIsAFigure(t *testing.T) {
	m := Metrics{Runs: []Run{{}}}
	var change func(path string, v reflect.Value)
	change = func(path string, v reflect.Value) {
		before := published(&m)
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				change(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		case reflect.Slice, reflect.Array:
			change(path, v.Index(0))
			return
		case reflect.Int, reflect.Int64, reflect.Uint64:
			if v.CanInt() {
				v.SetInt(2)
			} else {
				v.SetUint(2)
			}
		case reflect.String:
			v.SetString("merges")
		default:
			t.Fatalf("%s is a %v", path, v.Kind())
		}
		switch path {
		case ".Dir", ".Runs.Age", ".Runs.Tables", ".Stalls.Delay": // not figures; and a delay needs a cause
		default:
			if published(&m) == before {
				t.Errorf("%s is in no figure", path)
			}
		}
	}
	change("", reflect.ValueOf(&m).Elem())
	if m.Stalls.Behind != "merges" || !strings.Contains(published(&m), "write.delay merges 2e-09") {
		t.Errorf("the delay is not told:\n%s", published(&m))
	}
}

func TestFiguresAreNamedAlike(t *testing.T) {
	names := map[string]bool{}
	for _, f := range Figures() {
		if names[f.Name] || !regexp.MustCompile(`^[a-z]+(\.[a-z]+)*$`).MatchString(f.Name) {
			t.Errorf("the name %q", f.Name)
		}
		names[f.Name] = true
		if f.Help == "" || strings.HasSuffix(f.Help, ".") || strings.Contains(f.Help, "\n") {
			t.Errorf("%s: help %q", f.Name, f.Help)
		}
		if f.Unit != "" && f.Unit != "seconds" && f.Unit != "bytes" || f.Kind < CounterFigure || f.Kind > LatencyFigure {
			t.Errorf("%s: unit %q, kind %d", f.Name, f.Unit, f.Kind)
		}
		labels := map[string]bool{}
		var m Metrics
		for _, v := range f.Values(&m) {
			if labels[v.Label] || (v.Label == "") != (f.Label == "") || (v.Latency != nil) != (f.Kind == LatencyFigure) {
				t.Errorf("%s: value %+v", f.Name, v)
			}
			labels[v.Label] = true
		}
	}
	for name := range names { // some systems make folders of the parts of names
		for other := range names {
			if strings.HasPrefix(other, name+".") {
				t.Errorf("%s is a figure and the beginning of %s", name, other)
			}
		}
	}
}

func TestRoomThatIsNotKnownIsNoFigure(t *testing.T) {
	m := Metrics{Disk: Disk{Free: -1}}
	if strings.Contains(published(&m), "disk.free") {
		t.Error("unknown room is published")
	}
}
