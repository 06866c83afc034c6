/*
 * kind: attack
 *
 * io_uring can bind and listen (IORING_OP_BIND and IORING_OP_LISTEN, Linux 6.11). It
 * does so inside the kernel, past every seccomp filter.
 *
 * Bare kernel: binds the forbidden port.
 *
 * port-restricter: io_uring_setup(2) fails, so there is no ring.
 */
#include "probe.h"
#include <linux/io_uring.h>

enum { OP_BIND = 56, OP_LISTEN = 57 }; /* missing from older headers */

static void *ring, *entries;
static struct io_uring_params params;

static int run(int uring, struct io_uring_sqe sqe)
{
	unsigned *tail = ring + params.sq_off.tail, *array = ring + params.sq_off.array;
	unsigned *head = ring + params.cq_off.head, at = *tail & (params.sq_entries - 1);
	((struct io_uring_sqe *)entries)[at] = sqe;
	array[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	MUST(syscall(SYS_io_uring_enter, uring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	struct io_uring_cqe *done = ring + params.cq_off.cqes;
	int result = done[*head & (params.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

int main(void)
{
	int uring = syscall(SYS_io_uring_setup, 4, &params);
	if (uring < 0) {
		if (errno != ENOSYS && errno != EPERM)
			SETUP("io_uring_setup: %m");
		return 0;
	}
	ring = MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, uring, IORING_OFF_SQ_RING));
	entries = MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, uring, IORING_OFF_SQES));
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, FORBIDDEN);
	int bound = run(uring, (struct io_uring_sqe){
		.opcode = OP_BIND, .fd = fd, .addr = (uintptr_t)&a, .off = sizeof a.in});
	run(uring, (struct io_uring_sqe){.opcode = OP_LISTEN, .fd = fd, .len = 1});
	no_harm(fd);
	if (bound == -EINVAL)
		NOT_APPLICABLE("the kernel's io_uring has no IORING_OP_BIND");
	WRONG("io_uring_setup worked; bind through the ring returned %d, and bound nothing", bound);
}
