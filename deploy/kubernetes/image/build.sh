#!/bin/sh
# Builds the image for each architecture, for the Makefile, into an OCI archive. `make packages` has
# built what is installed. It needs no network.
# usage: build.sh VERSION NAME:TAG ARCH...
set -eu
version=$1 name=$2
shift 2
cd "$(dirname "$0")/../../.."
out=bin/image
rm -rf "$out"
mkdir -p "$out"
storage=$(mktemp -d) # that of the machine is not touched
trap 'rm -rf "$storage"' EXIT
podman() {
	command podman --root "$storage/root" --runroot "$storage/run" --storage-driver vfs "$@"
}
podman manifest create "$name" >/dev/null
for arch; do
	environment=$(test/kernels/toolchain.sh "$arch")
	(
		while IFS= read -r variable; do export "${variable?}"; done <<-END
			$environment
		END
		make -s "$out/$arch/port-restricter-node" "$out/$arch/port-restricter-events" \
			BIN="$out/$arch" VERSION="$version"
		export VERSION="$version"
		for program in port-restricter port-restricter-admin port-restricter-nri; do
			ln -f "bin/packages/$arch/$program" "$out/$arch/"
		done
		deploy/packages/bill.sh "$out/$arch" "$out/$arch" \
			port-restricter port-restricter-admin port-restricter-nri port-restricter-node \
			port-restricter-events
	)
	root=$out/$arch/root
	deploy/kubernetes/image/root.sh "$out/$arch" "bin/packages/$arch/tree" "$root"
	install -D -m 644 -t "$root/licenses" LICENSE "$out/$arch/third-party-licences"
	install -D -m 644 -t "$root/sbom" "$out/$arch"/*.cdx.json
	podman build --quiet --network none --platform "linux/$arch" --timestamp "$SOURCE_DATE_EPOCH" \
		--label "org.opencontainers.image.version=$version" \
		--label org.opencontainers.image.source=https://github.com/port-restricter/port-restricter \
		--manifest "$name" --file deploy/kubernetes/image/Containerfile "$root" >/dev/null
done
podman manifest push --quiet --all "$name" "oci-archive:$out/port-restricter-node.tar:$name" \
	>/dev/null
ls "$out"/*.tar
