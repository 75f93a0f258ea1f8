// Package resp answers the commands of Redis over a Siltstone store, in versions 2 and 3 of
// the protocol, so that redis-cli, redis-benchmark and the clients of all languages can look
// into a store and work with it.
//
//	        bytes                    arguments                calls
//	client ──────► conn ──► reader ───────────► command ──┬────────────► store, keyspace
//	                │                            (table)  │               or transaction
//	       ◄────────┴────── reply ◄───────────────────────┤
//	        when no whole command is left                 │ keys that were written
//	                                                      ▼
//	                        interest: who watches them, who waits for them ─► channels: events
//
// A connection has one goroutine, which reads, runs and writes. The commands stand in tables,
// one of each family in its file; each is a function that takes a call, with the arguments
// and the reply, and works on a siltstone.ReadWriter. Outside MULTI that is the store or a
// keyspace, and each command is a transaction of its own; EXEC runs the queued ones on a Tx.
//
// # Pipelines and durability
//
// Commands that have arrived together are answered together: replies are written when no
// whole command is left in the buffer. SETs that follow each other, and pushes to one list,
// are one commit. Before the replies the server waits, once for all of them,
// until what they wrote has reached Options.Durability. For that the store is opened with
// BufferedDurability, as siltstone serve does.
//
// # Who is told of a write
//
// A command that has written announces its keys while it still holds Server.writes. Clients
// that watch one fail their EXEC; clients that wait for one in BLPOP and the like are served,
// first come first served, by the goroutine of the command that wrote; subscribers of
// keyspace events get a message. EXEC of a client that watches keys holds Server.writes alone.
// What others write to the store no command announces: EXEC compares what the watched keys
// hold with what they held, and for who waits the store tells what was written (DB.Wait).
//
// # Bounds
//
// A length that a client announces takes no memory. Buffers grow with the bytes that arrive,
// for each connection and for all together up to a limit. Whoever does not read its replies
// is ended, and nobody waits for him: a message to a subscriber is left in his buffer, and his
// own goroutine writes it. Before a client has logged in its commands are small.
//
// Locks, in the order in which they are taken: one of Server.stripes, Server.writes,
// interest.mu, channels.mu, conn.mu. Server.mu is taken alone or before conn.mu.
package resp
