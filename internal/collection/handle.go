package collection

// The constructors of package typed's handles, which typed sets when it is
// initialized: functions of a Source that typed cannot export, since users never
// have one. Package handle gives them their types back.
var (
	NewKey  any // func(src Source, name string) typed.Key
	NewKeys any // func(src Source) typed.Keys
)
