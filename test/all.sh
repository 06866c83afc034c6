#!/bin/sh
# Runs all tests. One package at a time: a probe waits for a moment in which no process forks. The
# guest of test/kernels is emulated, and runs beside the other packages.
# usage: all.sh, with the flags of go build in GOFLAGS
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
nice go test -count=1 -timeout 60m ./test/kernels >"$log" 2>&1 &
kernels=$!
trap 'kill $kernels; exit 1' INT TERM
go list ./... | grep -v '/test/kernels$' | xargs go test -count=1 -p 1 -timeout 40m
status=$?
wait $kernels || status=1
cat "$log"
exit $status
