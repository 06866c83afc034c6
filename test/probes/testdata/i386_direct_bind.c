// kind: attack
// arch: i386
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, FORBIDDEN);
	refused(fd, syscall(SYS_bind, fd, &a, sizeof a.in));
	refused(fd, syscall(SYS_listen, fd, 1));
}
