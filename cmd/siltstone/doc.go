// Command siltstone looks into stores, moves data in and out, and looks after them.
//
//	siltstone info /var/lib/app/store
//	siltstone scan /var/lib/app/store --prefix user: --limit 10
//	siltstone dump /var/lib/app/store > store.ndjson
//
// The first argument of a command is the directory of the store. A store is opened for
// reading unless the command says that it writes. docs/tool.md of the module siltstone lists
// the commands and the exit codes.
package main
