/*
 * kind: behaviour
 * compare: stdout
 *
 * An AF_XDP socket is bound with XDP_SHARED_UMEM: the sockaddr contains the number of an fd,
 * the socket whose memory both sockets share. A process with one thread does this, then a
 * process with two; in the network namespace that is there, and in one of their own.
 *
 * Bare kernel: the number is looked up in the file table of the caller.
 *
 * port-restricter: the same. A helper makes the call for a process with several threads,
 * and the helper has a file table of its own.
 */
#include "probe.h"

#include <linux/if_xdp.h>
#include <sys/resource.h>

enum { FRAME = 4096, FRAMES = 4 };

/* An AF_XDP socket that can receive. */
static int receiver(void)
{
	int fd = socket(AF_XDP, SOCK_RAW, 0), slots = FRAMES;
	if (fd < 0 && errno == EAFNOSUPPORT)
		NOT_APPLICABLE("socket(AF_XDP): %m");
	MUST(fd);
	MUST(setsockopt(fd, SOL_XDP, XDP_RX_RING, &slots, sizeof slots));
	return fd;
}

/* The same, with memory of its own. */
static int owner(void)
{
	int fd = receiver(), slots = FRAMES;
	void *memory = shared(FRAME * FRAMES);
	struct xdp_umem_reg umem = {
		.addr = (uintptr_t)memory, .len = FRAME * FRAMES, .chunk_size = FRAME,
	};
	MUST(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof umem));
	MUST(setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &slots, sizeof slots));
	MUST(setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &slots, sizeof slots));
	return fd;
}

static int bind_xdp(int fd, int flags, int interface, int share)
{
	union addr a = {0};
	struct sockaddr_xdp xdp = {
		.sxdp_family = AF_XDP, .sxdp_flags = flags, .sxdp_ifindex = interface,
		.sxdp_shared_umem_fd = share,
	};
	memcpy(&a, &xdp, sizeof xdp);
	return bind(fd, &a.any, sizeof xdp);
}

/*
 * Binds the first socket of a queue. The kernel releases the queue some time after the last
 * socket of an earlier process is closed.
 */
static int bind_first(int fd, int interface)
{
	int result = -1;
	FOR_A_WHILE {
		result = bind_xdp(fd, XDP_COPY, interface, 0);
		if (result == 0 || errno != EBUSY)
			break;
		usleep(10000);
	}
	return result;
}

static void check(void)
{
	int lo = if_nametoindex("lo"), first = owner(), unbound = owner();
	int udp = sock(AF_INET, SOCK_DGRAM, 0), file = MUST(open("/", O_RDONLY));
	/* A number that the table of a helper can't have. */
	int far = MUST(fcntl(first, F_DUPFD, 900));

	SHOW(bind_xdp(receiver(), XDP_SHARED_UMEM, lo, first)); /* the first is not bound yet */
	SHOW(bind_first(first, lo));
	SHOW(bind_xdp(receiver(), XDP_SHARED_UMEM, lo, first));
	SHOW(bind_xdp(receiver(), XDP_SHARED_UMEM, lo, far));
	SHOW(bind_xdp(receiver(), XDP_SHARED_UMEM, lo, unbound));
	SHOW(bind_xdp(receiver(), XDP_SHARED_UMEM, lo, udp));
	SHOW(bind_xdp(receiver(), XDP_SHARED_UMEM, lo, file));
	SHOW(bind_xdp(receiver(), XDP_SHARED_UMEM, lo, 800)); /* no file */
	SHOW(bind_xdp(receiver(), XDP_SHARED_UMEM, lo, -1));
	SHOW(bind_xdp(receiver(), XDP_SHARED_UMEM, 4711, 800)); /* no interface, no file */
	SHOW(bind_xdp(receiver(), XDP_SHARED_UMEM | XDP_COPY, lo, first));
	SHOW(bind_xdp(owner(), XDP_SHARED_UMEM, lo, first));
	SHOW(bind_xdp(owner(), 0, lo, first)); /* without the flag, the number means nothing */
}

int main(void)
{
	struct rlimit files = {1000, 1000};
	MUST(setrlimit(RLIMIT_NOFILE, &files));
	/* CAP_NET_RAW is needed in the user namespace that owns the network namespace. */
	int fd = socket(AF_XDP, SOCK_RAW, 0);
	if (fd >= 0 || errno != EPERM) {
		close(fd);
		WITH_ONE_AND_TWO_THREADS(check());
	}
	enter_net_namespace();
	printf("in a network namespace of its own:\n");
	WITH_ONE_AND_TWO_THREADS(check());
}
