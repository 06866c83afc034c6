#!/bin/sh
# Runs a command as root of a user namespace with the ids 0 to 99. unshare(1) maps no id to which
# subuid(5) does not entitle, not even for root.
unshare --user sh -c 'while ! grep -q 100 /proc/self/gid_map; do sleep 0.01; done; exec "$@"' sh "$@" &
inside=$!
while [ "$(readlink /proc/$inside/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.01; done
echo '0 0 100' >/proc/$inside/uid_map
echo '0 0 100' >/proc/$inside/gid_map
wait $inside
