#!/bin/sh
# Runs all tests, in two lanes. The second has those that boot other systems, and wait for them most
# of the time. In a lane, one package at a time: a probe waits for a moment in which no process
# forks.
# usage: all.sh, with the flags of go build in GOFLAGS
set -u
systems='kernels cluster node admission packages systemd'
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2046,SC2086 # lists of packages, to be split
nice go test -count=1 -p 1 -timeout 60m $(printf './test/%s ' $systems) >"$log" 2>&1 &
lane=$!
trap 'kill $lane; exit 1' INT TERM
others=$(go list ./... | grep -v -E "/test/($(echo "$systems" | tr ' ' '|'))\$")
# shellcheck disable=SC2086 # a list of packages, to be split
go test -count=1 -p 1 -timeout 40m $others
status=$?
wait $lane || status=1
cat "$log"
exit $status
