#!/bin/sh
# Runs every fuzz target for a while: fuzz.sh 5s, with the flags of go build in GOFLAGS
set -eu
time=${1:?"usage: $0 TIME"}
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# At the end of its time, Go's fuzzer can report that as a failure, without an input that
# fails. Then the target is run once more.
fuzz() {
	for try in 1 2 3; do
		if go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" >"$log" 2>&1; then
			cat "$log"
			return 0
		fi
		cat "$log"
		grep -q 'context deadline exceeded' "$log" || return 1
		! grep -q 'Failing input written' "$log" || return 1
		echo "$2: the fuzzer ran out of time (try $try)"
	done
	return 1
}

grep -rl --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' "$file"); do
		fuzz "$(dirname "$file")" "$target"
	done
done
