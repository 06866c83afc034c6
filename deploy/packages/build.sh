#!/bin/sh
# Builds the packages of each architecture into bin/packages, for the Makefile, which sets GOFLAGS
# and TAGS. SOURCE_DATE_EPOCH is the time of everything in them.
# usage: build.sh VERSION ARCH...
set -eu
version=$1
shift
cd "$(dirname "$0")/../.."
out=bin/packages
rm -rf "$out"
mkdir -p "$out"
# What a build elsewhere needs to make the same.
printf '%s\n' "VERSION=$version" "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" "ARCHES=$*" >"$out/made"

# Debian and RPM compare versions: that of a commit without a tag is below every release.
case $version in
v[0-9]*) VERSION=$(echo "${version#v}" | sed 's/-\([0-9]*\)-g/+\1.g/; s/-rc/~rc/; s/-/./g') ;;
[0-9]*.*) VERSION=$version ;;
*) VERSION=0.0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d).$(echo "$version" | tr - .) ;;
esac
export VERSION

go run -tags "$TAGS,pages" ./cmd/port-restricter-admin "$out/pages" docs/man/*.md
go run -tags "$TAGS,pages" ./cmd/port-restricter-nri "$out/pages"
make -s build VERSION="$version" # for this machine, which runs it to write podman's hooks

for ARCH; do
	BUILT=$out/$ARCH
	environment=$(test/kernels/toolchain.sh "$ARCH")
	(
		while IFS= read -r variable; do export "${variable?}"; done <<-END
			$environment
		END
		if [ "$ARCH" = "$(dpkg --print-architecture)" ]; then
			install -D -t "$BUILT" \
				bin/port-restricter bin/port-restricter-admin bin/port-restricter-nri
		else
			make -s build BIN="$BUILT" VERSION="$version"
		fi
		deploy/packages/bill.sh "$BUILT" "$BUILT"
	)
	export ARCH
	deploy/packages/tree.sh "$BUILT" "$out/pages" "$BUILT/tree"
	deploy/packages/pack.sh "$BUILT" "$out"
done
ls "$out"/*.deb "$out"/*.rpm
