// Package conformance judges Siltstone from outside: the typed values against
// redis-server 7.0, command by command, and the isolation of concurrent calls by
// linearizability, by the graph of what depends on what, and by making each
// transaction that committed again, one by one in a store of their own. It holds
// tests only, and is a module of its own so that the library needs none of its dependencies.
//
//	            one random history
//	       ┌────────────┴────────────┐
//	siltstone (in memory)     redis-server (loopback)
//	       └── answer ── same? ── reply ──┘
//
// Without redis-server in the PATH those tests are skipped; they take any 7.0:
//
//	apt-get install redis-server && go test ./...
//
// # Where the answers differ
//
// TestDeviations shows each of these, so that none is kept that is not true.
// Everything else is the same.
//
//   - Sums of fractions are written with 17 significant digits, by Redis with 17
//     digits behind the point: 1000.1 plus 0 is 1000.1, and not
//     1000.09999999999999998. Below 1 there are 17 behind the point in both. Redis's digits are those of the C compiler's long
//     double, which is another one on other machines; a store is moved between
//     them. For the same reason a fraction is a decimal number in the range of a
//     float64: "inf", "0x10" and "1e400" are not numbers.
//   - A score of −0 is 0. Redis keeps the sign in large sorted sets, and shows it.
//   - A key that has expired is not counted. DBSIZE counts it until it is swept.
//   - GETRANGE with an end before the first byte is empty. Redis 7 returns the
//     first byte, which Redis 8 mended. BITCOUNT and BITPOS likewise.
//   - GETEX with a time to live of 0 is refused whatever the key holds. Redis looks
//     at the key first, and answers nil if there is none.
//   - Values may have 1 GiB, and bit offsets go up to 2³³. Redis stops at 512 MiB
//     and 2³².
//   - LCS takes values the product of whose lengths is at most 2²⁸. Redis stops at
//     2²⁷, for its table takes 32 times the memory.
//   - ZRANGE BYLEX, ZLEXCOUNT and ZREMRANGEBYLEX go by name alone. Redis promises
//     an answer only where all scores are the same, and there it is this one.
package conformance
