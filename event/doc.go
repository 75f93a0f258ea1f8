// Package event has the events of a store: what its background work did, and what an
// operator should know of.
//
//	siltstone.Open("data", &siltstone.Options{OnEvent: func(e event.Event) {
//		switch e := e.(type) {
//		case event.StallBegin:
//			slow.Set(1)
//		case event.CompactionEnd:
//			merged.Add(e.BytesWritten)
//		}
//	}})
//
// Options.OnEvent receives each event as a value of one of the types here, and
// Options.Logger as one record. Events are plain values: they hold nothing of the
// store, and may be kept and used by several goroutines. Types may be added, and fields
// to those that there are: a switch over events needs to pass over what it does not know.
package event
