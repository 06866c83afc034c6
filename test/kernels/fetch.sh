#!/bin/sh
# Unpacks Debian packages into a directory, and installs nothing. They may be of another suite
# or architecture than the system's. The mirror is the one of the system's own sources.
# usage: fetch.sh DIR SUITE ARCH FOLLOW PACKAGE...
# The dependencies whose names match FOLLOW, a regular expression, are unpacked as well.
set -eu
dir=$1 suite=$2 arch=$3 follow=$4
shift 4
want="$suite $arch $*"
[ "$(cat "$dir/unpacked" 2>/dev/null)" != "$want" ] || exit 0

fail() {
	echo "fetch.sh: $*" >&2
	exit 1
}

mirror() {
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1
}
[ -n "$(mirror)" ] || apt-get -qq update
mirror=$(mirror)
[ -n "$mirror" ] || fail "the system's apt sources name no mirror of Debian"

apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/packages" "$apt/root"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
	>"$apt/sources.list"
cat >"$apt/apt.conf" <<-END
	Dir::State "$apt/state";
	Dir::State::status "/dev/null";
	Dir::Cache "$apt/cache";
	Dir::Etc::sourcelist "$apt/sources.list";
	Dir::Etc::sourceparts "-";
	APT::Architecture "$arch";
	APT::Architectures { "$arch"; };
	APT::Sandbox::User "root";
	Acquire::Languages "none";
	Acquire::Retries "3";
	Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
	Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
END
export APT_CONFIG="$apt/apt.conf"
apt-get -qq update || fail "Debian's mirror has no suite $suite for $arch"

# needed prints a package and the dependencies to follow, which depend on others in turn.
needed() {
	apt-cache show --no-all-versions "$1" >"$apt/show" 2>/dev/null ||
		fail "Debian's $suite has no package $1 for $arch"
	echo "$1"
	for next in $(sed -n 's/^\(Pre-\)\{0,1\}Depends: //p' "$apt/show" | tr ',|' '\n\n' |
		sed 's/^ *//; s/[ :].*//' | grep -E "$follow"); do
		needed "$next"
	done
}
packages=$(for package; do needed "$package"; done)
# shellcheck disable=SC2086 # a list of names, to be split
(cd "$apt/packages" && apt-get -qq download $packages) || fail "can't download" $packages
for package in "$apt/packages"/*.deb; do
	dpkg-deb -x "$package" "$apt/root"
done
rm -rf "$dir"
mkdir -p "$(dirname "$dir")"
mv "$apt/root" "$dir"
echo "$want" >"$dir/unpacked"
