#!/bin/sh
# Prints the environment in which the go command and pkg-config build for an architecture, a line
# for each variable. Debian's cross compiler cannot be installed beside gcc-multilib, which the
# 32-bit probes need, so it is unpacked into .cache/kernels.
# usage: toolchain.sh ARCH, as Debian and Go name it
set -eu
arch=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$here/../../.cache"
cache=$(cd -P "$here/../../.cache" && pwd)/kernels
if [ "$arch" = "$(dpkg --print-architecture)" ]; then
	printf '%s\n' "GOARCH=$arch" CGO_ENABLED=1 CC=gcc
	exit
fi
[ "$arch" = arm64 ] || { echo "toolchain.sh: there is no cross compiler for $arch" >&2; exit 1; }
. /etc/os-release
"$here/fetch.sh" "$cache/cross-$arch" "$VERSION_CODENAME" amd64 \
	'aarch64-linux-gnu|arm64-cross' gcc-aarch64-linux-gnu libc6-dev-arm64-cross
"$here/fetch.sh" "$cache/libseccomp-$arch" "$VERSION_CODENAME" "$arch" '^$' libseccomp-dev
libseccomp=$cache/libseccomp-$arch/usr
printf '%s\n' "GOARCH=$arch" CGO_ENABLED=1 "CC=$cache/cross-$arch/usr/bin/aarch64-linux-gnu-gcc" \
	"CGO_CFLAGS=-O2 -g -I$libseccomp/include" "CGO_LDFLAGS=-L$libseccomp/lib/aarch64-linux-gnu" \
	"PKG_CONFIG_LIBDIR=$libseccomp/lib/aarch64-linux-gnu/pkgconfig"
