#!/bin/sh
# Builds the packages of each architecture into bin/packages. SOURCE_DATE_EPOCH is the time of
# everything in them.
# usage: build.sh VERSION ARCH...
set -eu
version=$1
shift
cd "$(dirname "$0")/../.."
out=$PWD/bin/packages
export GOFLAGS=-buildvcs=false
rm -rf "$out"
mkdir -p "$out"

# Debian and RPM compare versions: that of a commit without a tag is below every release.
case $version in
v[0-9]*) VERSION=$(echo "${version#v}" | sed 's/-\([0-9]*\)-g/+\1.g/; s/-rc/~rc/; s/-/./g') ;;
[0-9]*.*) VERSION=$version ;;
*) VERSION=0.0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d).$(echo "$version" | tr - .) ;;
esac
export VERSION

go run -tags seccomp,pages ./cmd/port-restricter "$out/pages" docs/man/*.md
go run -tags seccomp,pages ./cmd/port-restricter-nri "$out/pages"
make -s build VERSION="$version" # what this machine runs, to write podman's hooks

for ARCH; do
	environment=$(test/kernels/toolchain.sh "$ARCH")
	BUILT=$out/$ARCH
	(
		while IFS= read -r variable; do export "${variable?}"; done <<-END
			$environment
		END
		make -s build BIN="$BUILT" VERSION="$version"
		deploy/packages/bill.sh "$BUILT" "$BUILT"
	)
	export ARCH
	deploy/packages/tree.sh "$BUILT" "$out/pages" "$BUILT/tree"
	deploy/packages/pack.sh "$BUILT" "$out"
done
# What a build elsewhere needs to make the same.
printf "VERSION=%s SOURCE_DATE_EPOCH=%s\n" "$version" "$SOURCE_DATE_EPOCH" >"$out/made"
ls "$out"/*.deb "$out"/*.rpm
