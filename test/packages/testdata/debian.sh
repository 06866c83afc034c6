#!/bin/sh
# Makes a root directory of Debian, this system's release, unless it is there already.
# usage: debian.sh DIR PACKAGE...
set -eu
dir=$1
shift
. /etc/os-release
want="$VERSION_CODENAME $*"
[ "$(cat "$dir.made" 2>/dev/null)" != "$want" ] || exit 0
rm -rf "$dir" "$dir.made"
mkdir -p "$dir"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' |
	head -n 1)
debootstrap --variant=minbase --include="$(echo "$*" | tr ' ' ,)" "$VERSION_CODENAME" "$dir" \
	"${mirror:-http://deb.debian.org/debian}" >"$dir.log" 2>&1 || {
	tail "$dir.log"
	exit 1
}
rm -rf "$dir"/var/cache/apt/archives/*.deb "$dir"/var/lib/apt/lists/* "$dir.log"
echo "$want" >"$dir.made"
