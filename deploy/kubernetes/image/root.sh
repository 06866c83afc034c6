#!/bin/sh
# Lays out the root directory of the image: the installer, and below /tree what it installs, which
# tree.sh of the packages has laid out.
# usage: root.sh PROGRAM TREE ROOT
set -eu
program=$1 tree=$2 root=$3
rm -rf "$root"
install -D -m 755 "$program" "$root/port-restricter-node"
install -D -m 755 -t "$root/tree/usr/bin" "$tree"/all/usr/bin/*
install -D -m 644 -t "$root/tree/usr/lib/systemd/system" "$tree"/all/usr/lib/systemd/system/*
install -D -m 644 -t "$root/tree/etc/port-restricter" deploy/config.toml
