/*
 * kind: behaviour
 *
 * A client of an AF_UNIX listener asks for the user and group of the listener
 * (SO_PEERCRED).
 *
 * Bare kernel and port-restricter: the client gets the ids that the listener had when
 * it called listen(2), for one thread and for two.
 */
#include "probe.h"

static void listener(void)
{
	struct ucred peer = peer_of_listener();
	if (peer.uid != geteuid() || peer.gid != getegid())
		WRONG("%s: SO_PEERCRED names the listener %d:%d, not %d:%d", situation, peer.uid, peer.gid,
		      geteuid(), getegid());
}

static void check(void)
{
	listener();
	syscall(SYS_setresgid, -1, 1235, -1);
	syscall(SYS_setresuid, -1, 1235, -1);
	listener();
}

int main(void)
{
	MUST(chmod(".", 0777));
	WITH_ONE_AND_TWO_THREADS(check());
}
