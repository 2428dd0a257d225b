#!/usr/bin/env bash
# farshore beside what else could be run on the same capture: wall clock, processor time and peak memory of whole processes,
# in turn, the median of several runs. docs/performance.md says what the figures mean.
#
#   benches/peers.sh CAPTURE [RUNS]
#
# Needs GNU time; of tcpdump, ndpiReader and tshark those that are installed are run. FARSHORE names the program
# (target/release/farshore if not set), JOBS its --jobs.
set -euo pipefail

capture=${1:?usage: benches/peers.sh CAPTURE [RUNS]}
runs=${2:-3}
farshore=${FARSHORE:-target/release/farshore}
figures=$(mktemp)
trap 'rm -f "$figures"' EXIT

# measure LABEL RUNS COMMAND...: one line of figures, or why there are none.
measure() {
    local label=$1 times=$2
    shift 2
    if ! command -v "$1" >/dev/null; then
        printf '%-12s %s is not installed\n' "$label" "$1"
        return
    fi
    : >"$figures"
    for _ in $(seq "$times"); do
        if ! /usr/bin/time --quiet -a -o "$figures" -f '%e %U %S %M' "$@" >/dev/null 2>&1; then
            printf '%-12s failed: %s\n' "$label" "$*"
            return
        fi
    done
    sort -n "$figures" | awk -v label="$label" '
        { wall[NR] = $1; cpu[NR] = $2 + $3; peak[NR] = $4 / 1024 }
        END {
            middle = int((NR + 1) / 2)
            printf "%-12s wall %8.2f s (%.2f to %.2f)  processor %8.2f s  peak %8.1f MiB\n",
                label, wall[middle], wall[1], wall[NR], cpu[middle], peak[middle]
        }'
}

# Nobody shall wait for the disk.
cat "$capture" >/dev/null
measure tcpdump "$runs" tcpdump -r "$capture" -w /dev/null
measure sha256sum "$runs" sha256sum "$capture"
measure farshore "$runs" "$farshore" audit "$capture" --format json -q ${JOBS:+--jobs "$JOBS"}
measure ndpiReader "$runs" ndpiReader -i "$capture" -q -n 1
measure tshark 1 tshark -r "$capture" -T fields -e ip.dst -e tls.handshake.extensions_server_name -e dns.qry.name -e http.host
