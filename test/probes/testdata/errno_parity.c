/*
 * kind: behaviour
 * compare: stdout
 *
 * bind(2) and listen(2) with wrong arguments of every kind, and on sockets in the
 * wrong state.
 *
 * A call that the policy permits must fail under port-restricter with the errno of the
 * bare kernel. Where several things are wrong, the error that the kernel checks first
 * must win. The same must hold for a process with two threads, for which the
 * supervisor acts in another way.
 */
#include "probe.h"

static int domain, type;

static int fresh(void) { return sock(domain, type, 0); }
static union addr good(void) { return loopback(domain, ALLOWED); }

/* These bind a new socket to the allowed port, each with one wrong argument. */
static int length(int n)
{
	union addr a = good();
	int fd = fresh(), result = syscall(SYS_bind, fd, &a, n), error = errno;
	close(fd);
	errno = error;
	return result;
}

static int family(int f)
{
	union addr a = good();
	a.any.sa_family = f;
	int fd = fresh(), result = bind(fd, &a.any, sizeof a.room), error = errno;
	close(fd);
	errno = error;
	return result;
}

static int from(void *address)
{
	int fd = fresh(), result = syscall(SYS_bind, fd, address, size_of(domain)), error = errno;
	close(fd);
	errno = error;
	return result;
}

static int by(int fd, void *address, int n) { return syscall(SYS_bind, fd, address, n); }

static int at(const char *text)
{
	union addr a = good();
	void *to = domain == AF_INET ? (void *)&a.in.sin_addr : (void *)&a.in6.sin6_addr;
	MUST(inet_pton(domain, text, to));
	return from(&a);
}

static void check(int d, int t)
{
	domain = d, type = t;
	printf("-- domain %d, type %d\n", d, t);
	union addr a = good(), forbidden = loopback(d, FORBIDDEN);
	int pipes[2];
	int file = MUST(open("file", O_RDWR | O_CREAT, 0600)), path = MUST(open("file", O_PATH));
	MUST(pipe(pipes));
	char *pages = MUST(mmap(NULL, 8192, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	/* Memory ends at edge: only the first half of an address at edge - 8 can be read. */
	char *edge = pages + 4096;
	MUST(munmap(edge, 4096));
	memcpy(edge - 8, &a, 8);

	SHOW(by(-1, &a, sizeof a.in));
	SHOW(by(999, &a, sizeof a.in));
	SHOW(by(999, &forbidden, sizeof a.in6));
	SHOW(by(999, NULL, sizeof a.in6));
	SHOW(by(999, NULL, -1));
	SHOW(by(pipes[0], &a, sizeof a.in));
	SHOW(by(file, NULL, sizeof a.in));
	SHOW(by(file, NULL, -1));
	SHOW(by(file, &forbidden, sizeof a.in));
	SHOW(by(path, &a, sizeof a.in));
	SHOW(by(path, NULL, sizeof a.in));
	SHOW(from(NULL));
	SHOW(from((void *)8));
	SHOW(from((void *)-4096L));
	SHOW(from(edge - 8));
	static const int lengths[] = {
		-1, -16, 0, 1, 2, 3, 8, 15, 16, 17, 20, 23, 24, 27, 28, 29,
		110, 127, 128, 129, 4096, 0x7fffffff, -0x7fffffff - 1,
	};
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		printf("%d: ", lengths[i]);
		SHOW(length(lengths[i]));
	}
	SHOW(family(AF_INET));
	SHOW(family(AF_INET6));
	SHOW(family(AF_UNIX));
	SHOW(family(AF_UNSPEC));
	SHOW(family(AF_NETLINK));
	SHOW(family(65535));
	static const char *const addresses[2][6] = {
		{"192.0.2.1", "224.0.0.1", "255.255.255.255", "127.1.2.3", "0.0.0.0", "240.0.0.1"},
		{"2001:db8::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::", "::ffff:192.0.2.1"},
	};
	for (int i = 0; i < 6; i++) {
		printf("%s: ", addresses[d == AF_INET6][i]);
		SHOW(at(addresses[d == AF_INET6][i]));
	}
	int first = fresh(), second = fresh(), third = fresh();
	SHOW(bind_port(first, ALLOWED));
	SHOW(bind_port(first, ALLOWED));
	SHOW(by(first, NULL, sizeof a.in6));
	SHOW(listen(first, 1));
	SHOW(bind_port(second, ALLOWED));
	SHOW(connect(third, &a.any, size_of(d)));
	SHOW(bind_port(third, ALLOWED));
	close(first), close(second), close(third);
	first = fresh(), second = fresh();
	SHOW(bind_port(first, ALLOWED));
	SHOW(bind_port(second, ALLOWED)); /* works: SO_REUSEADDR, and no socket listens yet */
	SHOW(listen(first, -1));
	SHOW(listen(second, 1));
	SHOW(listen(-1, 1));
	SHOW(listen(999, 1));
	SHOW(listen(pipes[0], 1));
	SHOW(listen(path, 1));
	close(first), close(second), close(path), close(file);
}

int main(void)
{
	WITH_ONE_AND_TWO_THREADS(
		check(AF_INET, SOCK_STREAM);
		check(AF_INET, SOCK_DGRAM);
		check(AF_INET6, SOCK_STREAM);
		check(AF_INET6, SOCK_DGRAM));
}
