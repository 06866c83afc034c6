/*
 * kind: attack
 *
 * The fd, the address length and the backlog are C ints. The kernel uses only the
 * lower half of their registers, but the BPF filter sees all 64 bits. The attack puts
 * garbage into the upper half, so that a filter which compares 64 bits does not
 * recognize the call.
 *
 * Bare kernel: binds and listens as if the garbage were not there.
 *
 * port-restricter: bind(2) fails with EPERM, and listen(2) does not listen at a
 * forbidden port.
 */
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
