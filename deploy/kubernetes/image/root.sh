#!/bin/sh
# Lays out the root directory of the image: the installer, the program that makes events of
# refusals, and below /tree what is installed, which tree.sh of the packages has laid out.
# usage: root.sh DIR-OF-PROGRAMS TREE ROOT
set -eu
built=$1 tree=$2 root=$3
rm -rf "$root"
install -D -m 755 -t "$root" "$built/port-restricter-node" "$built/port-restricter-events"
install -D -m 755 -t "$root/tree/usr/bin" "$tree"/all/usr/bin/*
install -D -m 644 -t "$root/tree/usr/lib/systemd/system" "$tree"/all/usr/lib/systemd/system/*
install -D -m 644 -t "$root/tree/etc/port-restricter" deploy/config.toml
