// kind: attack
// The kernel looks at the lower half of int arguments; BPF sees all of them.
#include "probe.h"

int main(void)
{
	static const uint64_t garbage[] = {1ULL << 32, 1ULL << 63, ~0ULL << 32};
	union addr a = loopback(AF_INET, FORBIDDEN);
	for (int i = 0; i < 3; i++)
		for (int which = 1; which < 4; which++) {
			int fd = sock(AF_INET, SOCK_STREAM, 0);
			uint64_t in_fd = which & 1 ? garbage[i] : 0, in_length = which & 2 ? garbage[i] : 0;
			refused(fd, syscall(SYS_bind, fd | in_fd, &a, sizeof a.in | in_length));
			no_harm(fd);
			if (syscall(SYS_listen, fd | in_fd, 1 | in_length) == 0)
				no_harm(fd);
			close(fd);
		}
}
