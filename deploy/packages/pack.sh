#!/bin/sh
# Makes both packages of BUILT/tree, which tree.sh has laid out, in a directory. VERSION and ARCH
# are the packages'.
# usage: pack.sh BUILT DIR
set -eu
export BUILT="$1"
dir=$2
cd "$(dirname "$0")/../.."
{
	cat deploy/packages/nfpm.yaml
	for kind in doc license; do # nfpm marks single files only
		find "$BUILT/tree/$kind" \
			-type f -printf "  - {src: '%p', dst: '/%P', type: $kind, packager: rpm}\n" -o \
			-path '*/usr/share/*/port-restricter*' \
			-printf "  - {dst: '/%P', type: dir, packager: rpm}\n" |
			LC_ALL=C sort
	done
} >"$BUILT/nfpm.yaml"
for packager in deb rpm; do
	.cache/tools/nfpm package -f "$BUILT/nfpm.yaml" -p $packager -t "$dir/" >/dev/null
done
