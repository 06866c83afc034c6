/*
 * kind: behaviour
 * arch: i386
 *
 * A 32-bit server with TCP, UDP and AF_UNIX sockets. glibc makes these calls through
 * socketcall(2).
 *
 * Bare kernel and port-restricter: everything works, and the file of the AF_UNIX
 * socket belongs to the caller.
 */
#include "probe.h"

int main(void)
{
	static const int domains[] = {AF_INET, AF_INET6};
	for (int i = 0; i < 2; i++) {
		int fd = sock(domains[i], SOCK_STREAM, 0), udp = sock(domains[i], SOCK_DGRAM, 0);
		WORKS(bind_port(fd, ALLOWED));
		WORKS(listen(fd, 8));
		if (!reached(domains[i], ALLOWED))
			WRONG("no client can reach the listener at port %d", ALLOWED);
		WORKS(bind_port(udp, ALLOWED));
		close(fd);
		close(udp);
	}
	struct stat st;
	int fd = sock(AF_UNIX, SOCK_STREAM, 0);
	WORKS(bind_unix(fd, "socket-of-32-bits"));
	WORKS(listen(fd, 1));
	WORKS(stat("socket-of-32-bits", &st));
	if (st.st_uid != geteuid())
		WRONG("the socket's file belongs to user %d, not to %d", st.st_uid, geteuid());
}
