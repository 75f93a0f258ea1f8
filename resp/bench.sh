#!/usr/bin/env bash
# Compares siltstone serve with redis-server, both on disk and synced every second, by
# redis-benchmark: each test on one and then on the other, several rounds, the median of
# each. The last column is what siltstone serves for each request that redis-server does.
#
#   resp/bench.sh                   # 5 rounds of 200,000 requests, into a directory in /tmp
#   ROUNDS=1 REQUESTS=50000 DIR=/data resp/bench.sh
#
# It needs redis-server and redis-benchmark in the PATH, and ports 7411 and 7412.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5} requests=${REQUESTS:-200000} clients=${CLIENTS:-50}
tests=${TESTS:-"set get incr hset sadd zadd lpush lrange_100"}
dir=$(mktemp -d "${DIR:-/tmp}/resp-bench-XXXXXX")
redis=7411 ours=7412 pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT

go -C cmd/siltstone build -o "$dir/siltstone" .
mkdir "$dir/redis"
redis-server --port $redis --bind 127.0.0.1 --dir "$dir/redis" --save '' --appendonly yes --appendfsync everysec >/dev/null &
pids+=($!)
"$dir/siltstone" serve "$dir/store" --write --durability everysec --listen 127.0.0.1:$ours --memory 256MiB >/dev/null &
pids+=($!)
for port in $redis $ours; do
  until redis-cli -p $port ping >/dev/null 2>&1; do sleep 0.1; done
done

# rate PORT TEST PIPELINE prints the requests in a second.
rate() {
  redis-benchmark -p "$1" -t "$2" -P "$3" -c "$clients" -n "$requests" -r 100000 --csv |
    tr -d '"' | awk -F, -v want="$2" 'NR > 1 { name = tolower($1); rate = $2 } END { print rate }'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

printf '%-12s %8s %14s %14s %8s\n' test pipeline redis siltstone ratio
for pipeline in ${PIPELINES:-1 16}; do
  for test in $tests; do
    a=() b=()
    for _ in $(seq "$rounds"); do
      redis-cli -p $redis flushall >/dev/null
      redis-cli -p $ours flushall >/dev/null
      a+=("$(rate $redis "$test" "$pipeline")")
      b+=("$(rate $ours "$test" "$pipeline")")
    done
    printf '%s\n' "${a[@]}" | median >"$dir/a"
    printf '%s\n' "${b[@]}" | median >"$dir/b"
    awk -v t="$test" -v p="$pipeline" -v a="$(cat "$dir/a")" -v b="$(cat "$dir/b")" 'BEGIN { printf "%-12s %8d %14.0f %14.0f %8.2f\n", t, p, a, b, b / a }'
  done
done
