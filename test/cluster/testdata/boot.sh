#!/bin/sh
# Runs systemd as PID 1 of a node: namespaces of its own, with a copy of the machine's root
# directory, of which /changes has what differs. It prints the pid that systemd has outside. When
# its input ends, it ends the node and leaves nothing behind.
# The layout of the cgroups is the machine's: the kubelet and the engines need the hierarchies that
# have controllers, even where these are of cgroup version 1.
# usage: boot.sh TOOLS, a directory of programs, which the node has at /tools
set -eu
tools=$1
cgroups=$(awk '$3 ~ /^cgroup2?$/ {print $2}' /proc/self/mounts)
if [ -z "${CGROUP:-}" ]; then
	export CGROUP=port-restricter-cluster-test-$$
	unshare --mount --pid --net --uts --ipc --fork --kill-child "$0" "$@" &
	exec >/dev/null # if the boot fails, nobody has the caller's pipe open
	cat
	kill -KILL $!
	{ wait $!; } 2>/dev/null || true
	# A cgroup can be removed once its last process is gone.
	for hierarchy in $cgroups; do
		while [ -e "$hierarchy/$CGROUP" ]; do
			find "$hierarchy/$CGROUP" -depth -type d -exec rmdir {} \; 2>/dev/null
			sleep 0.1
		done
	done
	exit
fi
read -r pid rest </proc/self/stat # /proc is still that of the outer pid namespace
mount --make-rprivate /
for hierarchy in $cgroups; do
	mkdir "$hierarchy/$CGROUP"
	for file in cpuset.cpus cpuset.mems; do # of version 1: a new cgroup has none
		[ ! -f "$hierarchy/$CGROUP/$file" ] || cat "$hierarchy/$file" >"$hierarchy/$CGROUP/$file"
	done
	# Beside processes that are in no cgroup, all of the node would have the share of one.
	[ ! -f "$hierarchy/$CGROUP/cpu.shares" ] || echo 8192 >"$hierarchy/$CGROUP/cpu.shares"
	echo $$ >"$hierarchy/$CGROUP/cgroup.procs"
done

mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/new /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/new,workdir=/mnt/work /mnt/root
mkdir /mnt/root/changes /mnt/root/tools
mount --bind /mnt/new /mnt/root/changes
mount --bind "$tools" /mnt/root/tools
mount --rbind /dev /mnt/root/dev
[ ! -e /dev/console ] || mount --bind /dev/null /mnt/root/dev/console
mount -t proc proc /mnt/root/proc
mount --bind /sys /mnt/root/sys
for dir in /tmp /run /var/log /var/lib/containerd /var/lib/containers /var/lib/kubelet; do
	mkdir -p "/mnt/root$dir"
	mount -t tmpfs -o mode=755 tmpfs "/mnt/root$dir"
done
chmod 1777 /mnt/root/tmp
grep -E '^[^ ]+ [^ ]+ cgroup2? ' /proc/self/mounts >/mnt/root/run/cgroups
cd /mnt/root
pivot_root . mnt
umount -l /mnt
cd /
# The engines' mounts for containers, and the kubelet's, are seen by each other.
mount --make-rshared /
for unit in test.target service.d/test.conf socket.d/test.conf; do # no other target of a boot
	mkdir -p "$(dirname "/run/systemd/system/$unit")"
	printf '[Unit]\nDefaultDependencies=no\n' >"/run/systemd/system/$unit"
done
export container=test pid
# The mounts show the cgroups below this one only. The caller may enter once they are there.
exec unshare --cgroup sh -ec '
	[ "$(wc -l </run/cgroups)" -eq 1 ] || mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
	while read -r _ path type options _; do
		mkdir -p "$path"
		case $type in
		cgroup2) mount -t cgroup2 cgroup2 "$path" ;;
		*) mount -t cgroup -o "${options#*relatime,}" cgroup "$path" ;;
		esac
	done </run/cgroups
	ip link set lo up
	echo "$pid"
	exec /lib/systemd/systemd --system --unit=test.target --log-target=null --show-status=no \
		>/dev/null' </dev/null
