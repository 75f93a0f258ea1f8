package debughttp

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/quantity"
)

// Setting is an option of a store and its value, as text.
type Setting struct{ Name, Value string }

// settings returns the options that are plain values: functions and interfaces have no
// text that would tell anything.
func settings(o siltstone.Options) (all []Setting) {
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			if text := settingText(f.Name, v.Field(i)); text != "" {
				all = append(all, Setting{f.Name, text})
			}
		}
	}
	return all
}

// settingText returns the value as text; empty if it is no plain value.
func settingText(name string, v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok && v.Kind() == reflect.Uint8 {
		return s.String()
	}
	switch d, isDuration := v.Interface().(time.Duration); {
	case isDuration && d < 0:
		return "never"
	case isDuration:
		return quantity.Duration(d)
	case v.Kind() == reflect.Bool && v.Bool():
		return "yes"
	case v.Kind() == reflect.Bool:
		return "no"
	case !v.CanInt():
		return ""
	case v.Int() == 0:
		return "no limit"
	case name == "CompactionRate":
		return quantity.Bytes(v.Int()) + "/s"
	case strings.HasSuffix(name, "Bytes") || name == "MemoryLimit":
		return quantity.Bytes(v.Int())
	}
	return fmt.Sprint(v.Int())
}

// modulePath is the path of the module that has the store.
const modulePath = "github.com/siltstonedb/siltstone"

// version returns the version of the module in the running program.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == modulePath && m.Version != "" {
				return m.Version
			}
		}
	}
	return "unknown"
}
