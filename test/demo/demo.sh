#!/bin/sh
# Shows how port-restricter restricts a real runc container, and then a plain
# command. All files that the demo makes are in one temporary directory, which is
# removed at the end.
set -eu
cd "$(dirname "$0")/../.."
bin=$PWD/bin/port-restricter
work=$(mktemp -d)
name=port-restricter-demo-$$
agent=

finish() {
	runc delete --force "$name" >/dev/null 2>&1 || :
	[ -z "$agent" ] || { kill "$agent" && wait "$agent"; } 2>/dev/null || :
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

say() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

say "Start the agent. It answers for containers, at the socket $work/agent.sock."
"$bin" agent --socket "$work/agent.sock" 2>"$work/agent.log" &
agent=$!
i=0
until [ -S "$work/agent.sock" ]; do
	i=$((i + 1))
	[ "$i" -lt 50 ] || fail "the agent did not start: $(cat "$work/agent.log")"
	sleep 0.1
done

say "Start a runc container with the annotation port-restricter.port=5000."
mkdir -p "$work/rootfs/bin"
cp "$(command -v busybox)" "$work/rootfs/bin/busybox"
"$bin" profile --listener "$work/agent.sock" >"$work/profile.json"
(cd "$work" && runc spec)
jq --slurpfile seccomp "$work/profile.json" '
	.linux.seccomp = $seccomp[0]
	| .annotations = {"port-restricter.port": "5000"}
	| .process.terminal = false
	| .process.args = ["/bin/busybox", "sleep", "60"]' "$work/config.json" >"$work/new.json"
mv "$work/new.json" "$work/config.json"
runc run --detach --bundle "$work" "$name" </dev/null >"$work/container.log" 2>&1 ||
	fail "runc could not start the container: $(cat "$work/container.log")"
pid=$(runc state "$name" | jq .pid)

say "In the container, listen on port 5001, which is not allowed:"
status=0
runc exec "$name" /bin/busybox timeout 3 /bin/busybox nc -l -p 5001 \
	>"$work/refused" 2>&1 </dev/null || status=$?
cat "$work/refused"
grep -q 'Operation not permitted' "$work/refused" ||
	fail "the listener on port 5001 was not refused (exit status $status)"

say "In the container, listen on port 5000, and connect to it from outside:"
listen='echo "hello from port 5000" | /bin/busybox timeout 20 /bin/busybox nc -l -p 5000'
runc exec "$name" /bin/busybox sh -c "$listen" </dev/null >"$work/listener" 2>&1 &
i=0
until answer=$(nsenter --target "$pid" --net \
	busybox nc -w 2 127.0.0.1 5000 2>/dev/null </dev/null) && [ -n "$answer" ]; do
	i=$((i + 1))
	[ "$i" -lt 50 ] || fail "nothing answers on port 5000: $(cat "$work/listener")"
	sleep 0.1
done
echo "The client received: $answer"

say "The agent's log about this container:"
grep -E '"(attached|bind deny)"' "$work/agent.log"

say "Now without a container: port-restricter -p 5000 -- nc -l -p 5001"
status=0
"$bin" -p 5000 -- busybox timeout 3 busybox nc -l -p 5001 </dev/null 2>&1 |
	tee "$work/cli" || status=$?
grep -q 'Operation not permitted' "$work/cli" ||
	fail "the listener on port 5001 was not refused (exit status $status)"

say "The same on the allowed port: port-restricter -v -p 5000 -- nc -l -p 5000"
status=0
"$bin" -v -p 5000 -- busybox timeout 1 busybox nc -l -p 5000 </dev/null || status=$?
# busybox's timeout ends the listener after a second, by SIGTERM: 128 + 15.
[ "$status" -eq 143 ] || fail "the listener on port 5000 ended with exit status $status"
echo "It listened for a second, until timeout(1) ended it."

say "Done: the container and the command could listen on port 5000 only."
