// kind: attack
// The x32 ABI numbers bind(2) anew under the architecture of x86-64.
#include "probe.h"

enum { X32 = 0x40000000 };

int main(void)
{
	if (syscall(X32 | SYS_getpid) < 0 && errno == ENOSYS)
		NOT_APPLICABLE("no x32 ABI");
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, FORBIDDEN);
	refused(fd, syscall(X32 | SYS_bind, fd, &a, sizeof a.in));
	refused(fd, syscall(X32 | SYS_listen, fd, 1));
}
