#!/bin/sh
# Builds the tools of the Go module test/tools/NAME into .cache/tools. It does nothing
# if they are of this module's files. The optional file NAME/tags lists the module's
# build tags, and the optional script NAME/build.sh builds what is not written in Go.
set -eu
name=${1:?"usage: $0 NAME, where NAME is a directory beside this script"}
here=$(cd "$(dirname "$0")" && pwd)
module=$here/$name
cache=$here/../../.cache/tools
[ -f "$module/go.mod" ] || { echo "$0: $module has no go.mod" >&2; exit 1; }
mkdir -p "$cache"
stamp=$cache/$name.built
tags=seccomp
[ ! -f "$module/tags" ] || tags=$(tr '\n' ' ' <"$module/tags")
sum=$(cd "$here" && find "$name" build.sh -type f -exec sha256sum {} + | sort | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" != "$sum" ] || exit 0
echo "building test/tools/$name"
rm -f "$stamp"
(cd "$module" && go build -tags "$tags" -o "$cache/" tool)
[ ! -x "$module/build.sh" ] || (cd "$module" && ./build.sh "$cache")
echo "$sum" >"$stamp"
