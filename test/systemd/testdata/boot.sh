#!/bin/sh
# Runs systemd as PID 1 of namespaces of its own: pids, mounts, cgroups, host name, IPC. It prints
# the pid that systemd has outside. When its input ends, it ends systemd and leaves nothing behind.
# /etc and /usr/bin are copies that may be changed. /tmp, /run and /var/log are empty: the start
# of systemd empties /tmp.
# usage: boot.sh FILE..., which are copied to /usr/bin
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
for dir in /etc /usr/bin; do
	mkdir -p "/mnt/new$dir" "/mnt/work$dir"
	mount -t overlay overlay -o "lowerdir=$dir,upperdir=/mnt/new$dir,workdir=/mnt/work$dir" $dir
done
cp "$@" /usr/bin
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/log
mount -t proc proc /proc
[ ! -e /dev/console ] || mount --bind /dev/null /dev/console
mkdir -p /run/systemd/system /run/output
printf '[Unit]\nDefaultDependencies=no\n' >/run/systemd/system/test.target
export container=test pid
# The mount shows the cgroups below this one only. The caller may enter once it is there.
exec unshare --cgroup sh -ec 'mount -t cgroup2 cgroup2 /sys/fs/cgroup
	echo "$pid"
	exec /lib/systemd/systemd --system --unit=test.target --log-target=null --show-status=no \
		>/dev/null' </dev/null
