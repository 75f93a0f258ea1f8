// Package base holds the words every layer of the engine shares: row keys,
// sequence numbers, record kinds and attributes, file numbers and names, and
// the errors that travel from the files to the user.
//
// It imports nothing of ours.
package base
