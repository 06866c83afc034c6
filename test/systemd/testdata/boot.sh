#!/bin/sh
# Runs systemd as PID 1 of namespaces of its own: pids, mounts, cgroups, host name, IPC. It prints
# the pid that systemd has outside. When its input ends, it ends systemd and leaves nothing behind.
# /etc and /usr/bin are copies that may be changed. /tmp, /run and /var/log are empty: the start
# of systemd empties /tmp. With ROOT in the environment, it is the systemd of that root directory,
# of which all is a copy.
# usage: boot.sh FILE..., which are copied to /usr/bin, or to /srv of ROOT
set -eu
if [ -z "${CGROUP:-}" ]; then
	export CGROUP=port-restricter-systemd-test-$$
	unshare --mount --pid --uts --ipc --fork --kill-child "$0" "$@" &
	exec >/dev/null # if the boot fails, nobody has the caller's pipe open
	cat
	kill -KILL $!
	{ wait $!; } 2>/dev/null || true
	# A cgroup can be removed once its last process is gone.
	exec unshare --mount sh -c 'mount -t cgroup2 cgroup2 /sys/fs/cgroup
		while [ -e "/sys/fs/cgroup/$CGROUP" ]; do
			find "/sys/fs/cgroup/$CGROUP" -depth -type d -exec rmdir {} \; 2>/dev/null
			sleep 0.1
		done'
fi
read -r pid rest </proc/self/stat # /proc is still that of the outer pid namespace
mount --make-rprivate /
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$CGROUP"
echo $$ >"/sys/fs/cgroup/$CGROUP/cgroup.procs"
umount /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /mnt
# writable puts a copy of a directory in the place of another.
writable() {
	mkdir -p "/mnt/new$1" "/mnt/work$1"
	mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/new$1,workdir=/mnt/work$1" "$2"
}
if [ -n "${ROOT:-}" ]; then
	mkdir /mnt/root
	writable "$ROOT" /mnt/root
	cp "$@" /mnt/root/srv
	mount --rbind /dev /mnt/root/dev
	mount -t proc proc /mnt/root/proc
	mount --bind /sys /mnt/root/sys
	cd /mnt/root
	pivot_root . mnt
	umount -l /mnt
	cd /
else
	writable /etc /etc
	writable /usr/bin /usr/bin
	cp "$@" /usr/bin
fi
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/log
[ -n "${ROOT:-}" ] || mount -t proc proc /proc
[ ! -e /dev/console ] || mount --bind /dev/null /dev/console
mkdir -p /run/systemd/system /run/output
printf '[Unit]\nDefaultDependencies=no\n' >/run/systemd/system/test.target
export container=test pid
# The mount shows the cgroups below this one only. The caller may enter once it is there.
exec unshare --cgroup sh -ec 'mount -t cgroup2 cgroup2 /sys/fs/cgroup
	echo "$pid"
	exec /lib/systemd/systemd --system --unit=test.target --log-target=null --show-status=no \
		>/dev/null' </dev/null
