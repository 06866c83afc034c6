/*
 * kind: behaviour
 * expect cli-user: 3
 *
 * A process that made itself undumpable binds the allowed port.
 *
 * Bare kernel: the bind works.
 *
 * port-restricter: it works as well, except under the command line of an ordinary
 * user. That supervisor has no privilege to inspect an undumpable process, and refuses
 * the bind on purpose (status 3): what cannot be checked cannot be permitted.
 */
#include "probe.h"

int main(void)
{
	MUST(prctl(PR_SET_DUMPABLE, 0));
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	WORKS(bind_port(fd, ALLOWED));
	WORKS(listen(fd, 1));
}
