#!/bin/sh
# Installs, upgrades and erases a package by rpm in a copy of a root directory.
# usage: rpm.sh ROOT OLDER NEWER, in a mount namespace of its own
set -eu
lower=$1 older=$2 newer=$3
mount -t tmpfs tmpfs /mnt
mkdir /mnt/new /mnt/work /mnt/root
mount -t overlay overlay -o "lowerdir=$lower,upperdir=/mnt/new,workdir=/mnt/work" /mnt/root
root=/mnt/root
mount --bind /proc $root/proc
enabled() { chroot $root systemctl is-enabled "$1" || :; }
# The root directory is Debian's, so rpm knows nothing of what it has.
rpm --root $root --nodeps -i "$older"
[ "$(enabled port-restricter.socket) $(enabled port-restricter.service)" = "enabled disabled" ]
chroot $root port-restricter --version
echo '# mine' >>$root/etc/port-restricter/config.toml
rpm --root $root --nodeps -U "$newer"
[ "$(rpm --root $root -q port-restricter)" != "$(rpm -qp "$older")" ]
[ "$(enabled port-restricter.socket)" = enabled ]
[ "$(tail -n 1 $root/etc/port-restricter/config.toml)" = "# mine" ]
chroot $root port-restricter configure podman
chroot $root systemctl disable port-restricter.socket
rpm --root $root --nodeps -U --replacepkgs "$newer"
[ "$(enabled port-restricter.socket)" = disabled ]
chroot $root systemctl enable port-restricter.socket
rpm --root $root -e port-restricter
left=$(find $root/usr $root/etc $root/var/lib/systemd -name '*port-restricter*')
[ "$left" = $root/etc/port-restricter ] || { echo "left: $left"; exit 1; }
[ "$(ls "$left")" = config.toml.rpmsave ] # the administrator had changed it
echo done
