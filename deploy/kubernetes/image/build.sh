#!/bin/sh
# Builds the image for each architecture from the programs in BUILT/ARCH, into an OCI archive. It
# needs no network.
# usage: build.sh BUILT ARCHIVE NAME[:TAG] ARCH...
set -eu
built=$1 archive=$2 name=$3
shift 3
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A storage of its own: that of the machine is not touched.
podman() {
	command podman --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"
}
podman manifest create "$name" >/dev/null
for arch; do
	root=$work/$arch
	install -D -m 755 -t "$root" "$built/$arch/port-restricter-node"
	all=$built/$arch/tree/all
	install -D -m 755 -t "$root/tree/usr/bin" "$all"/usr/bin/*
	install -D -m 644 -t "$root/tree/usr/lib/systemd/system" "$all"/usr/lib/systemd/system/*
	install -D -m 644 -t "$root/tree/etc/port-restricter" deploy/config.toml
	install -D -m 644 -t "$root/usr/share/licenses/port-restricter" "$built/$arch"/tree/license/usr/share/licenses/port-restricter/*
	podman build --quiet --network none --platform "linux/$arch" --timestamp "$SOURCE_DATE_EPOCH" \
		--label "org.opencontainers.image.version=$VERSION" \
		--label org.opencontainers.image.source=https://github.com/port-restricter/port-restricter \
		--label org.opencontainers.image.licenses="MIT AND LGPL-2.1-or-later AND Apache-2.0" \
		--manifest "$name" --file "$here/Containerfile" "$root" >/dev/null
done
mkdir -p "$(dirname "$archive")"
rm -f "$archive"
podman manifest push --quiet --all "$name" "oci-archive:$archive:$name" >/dev/null
