#!/bin/sh
# Builds pinns, CRI-O's helper that pins namespaces. It is written in C.
set -eu
sources=$(go list -m -f '{{.Dir}}' github.com/cri-o/cri-o)/pinns/src
gcc -O2 -std=c99 -D_GNU_SOURCE -o "$1/pinns" "$sources"/*.c
