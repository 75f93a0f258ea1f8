#!/usr/bin/env bash
# Compares siltstone serve with redis-server, both on disk and synced every second, by
# redis-benchmark: each test on one and then on the other, several rounds, the median of
# each. A ratio is what siltstone serves for each request that redis-server does; behind it is
# the processor time that each server took for a request, in microseconds, the least of the
# rounds: on a machine that does other things as well it tells more than the rates.
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

# ticks PID prints the processor time of a process, in hundredths of a second.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

# rate PORT TEST PIPELINE prints the requests in a second.
rate() {
  redis-benchmark -p "$1" -t "$2" -P "$3" -c "$clients" -n "$requests" -r 100000 --csv |
    tr -d '"' | awk -F, -v want="$2" 'NR > 1 { name = tolower($1); rate = $2 } END { print rate }'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
least() { sort -n "$1" | head -1; }

# measure NAME PID PORT TEST PIPELINE empties a server and adds a line to the files NAME and
# NAME.cpu. The pause is for what a server does in the background to free what it had.
measure() {
  local before
  redis-cli -p "$3" flushall >/dev/null
  sleep 1
  before=$(ticks "$2")
  rate "$3" "$4" "$5" >>"$dir/$1"
  awk -v a="$before" -v b="$(ticks "$2")" -v n="$requests" 'BEGIN { print (b - a) * 10000 / n }' >>"$dir/$1.cpu"
}

printf '%-12s %8s %12s %12s %6s %10s %10s %6s\n' test pipeline redis siltstone ratio 'redis us' 'ours us' ratio
for pipeline in ${PIPELINES:-1 16}; do
  for test in $tests; do
    rm -f "$dir"/{redis,siltstone}.{rate,rate.cpu}
    for _ in $(seq "$rounds"); do
      measure redis.rate "${pids[0]}" $redis "$test" "$pipeline"
      measure siltstone.rate "${pids[1]}" $ours "$test" "$pipeline"
    done
    awk -v t="$test" -v p="$pipeline" -v a="$(median <"$dir/redis.rate")" -v b="$(median <"$dir/siltstone.rate")" \
      -v c="$(least "$dir/redis.rate.cpu")" -v d="$(least "$dir/siltstone.rate.cpu")" \
      'BEGIN { printf "%-12s %8d %12.0f %12.0f %6.2f %10.1f %10.1f %6.2f\n", t, p, a, b, b / a, c, d, c / d }'
  done
done
