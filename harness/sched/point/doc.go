// Package point lets one goroutine of a store run at a time, and decides at each switch
// point which. It is what the code of the store is rewritten to call by harness/sched;
// no ordinary build of the store has it.
//
//	At        a switch point: another actor may go on here
//	Woken     behind whatever blocks: who was woken waits until it is its turn
//	Mutex …   sync's own types, whose waits are seen
//	Select    a select statement, whose choice among ready channels is the seed's
//	Go        a go statement, which names the actor it starts
//	Run       plays one schedule
//
// An actor is a goroutine of the store or of the scenario. Run stands in a bubble of
// testing/synctest. There a goroutine that waits for a channel, a condition or the time
// is known to wait, so Run knows when the actor that it let go on has come to its next
// point, waits or has ended. Then it lets go on one of those that stand at a point. A
// mutex is no such wait, hence the types of this package: an actor that needs a lock
// which another one holds stands at a point, and is not chosen until the lock is free.
//
// Time is the bubble's. It goes on when no actor can, and now and then before that.
//
// What runs beside the chosen actor is only what a woken goroutine does between its
// wait and its next point. So a seed gives the same schedule each time: its trace, of
// who went on at which point, has the same hash.
package point
