/*
 * kind: behaviour
 * compare: stdout
 *
 * bind(2) and listen(2) of AF_UNIX sockets with wrong arguments of every kind, and on
 * sockets in the wrong state.
 *
 * Under port-restricter each call must have the same result as on the bare kernel, for
 * one thread and for two.
 */
#include "probe.h"

static int fresh_bind(const char *path)
{
	int fd = sock(AF_UNIX, SOCK_STREAM, 0), result = bind_unix(fd, path), error = errno;
	close(fd);
	errno = error;
	return result;
}

static int length(int n)
{
	union addr a;
	unix_addr(&a, "a-name-of-any-length");
	memset(a.bytes + 40, 'x', sizeof a.bytes - 40);
	int fd = sock(AF_UNIX, SOCK_DGRAM, 0), result = syscall(SYS_bind, fd, &a, n), error = errno;
	close(fd);
	errno = error;
	return result;
}

static void check(void)
{
	SHOW(fresh_bind("no-such-directory/socket"));
	SHOW(fresh_bind("regular-file"));
	SHOW(fresh_bind("regular-file/socket"));
	SHOW(fresh_bind("link-to-nowhere"));
	SHOW(fresh_bind("link-to-directory"));
	SHOW(fresh_bind("link-to-itself/socket"));
	SHOW(fresh_bind("directory-with-slash/"));
	SHOW(fresh_bind("no-such-directory/with-slash/"));
	SHOW(fresh_bind("/proc/socket-in-proc"));
	SHOW(fresh_bind("/proc/self/socket-in-proc"));
	SHOW(fresh_bind("/no-socket-for-a-user"));
	unlink("/no-socket-for-a-user");
	SHOW(fresh_bind("link-to-directory/socket"));
	SHOW(fresh_bind("link-to-directory/socket"));
	unlink("link-to-directory/socket");
	for (int n = 100; n < 130; n++) {
		printf("%d: ", n);
		SHOW(length(n));
	}
	int fd = sock(AF_UNIX, SOCK_STREAM, 0), dgram = sock(AF_UNIX, SOCK_DGRAM, 0);
	int other = sock(AF_UNIX, SOCK_STREAM, 0);
	union addr internet = loopback(AF_INET, ALLOWED);
	SHOW(bind(fd, &internet.any, sizeof internet.in));
	SHOW(bind(fd, &internet.any, 128));
	SHOW(bind(fd, (struct sockaddr *)8, 20));
	SHOW(listen(fd, 1));
	SHOW(bind_unix(fd, "socket-bound-twice"));
	SHOW(bind_unix(fd, "socket-bound-twice"));
	SHOW(bind_unix(fd, "socket-bound-again"));
	SHOW(bind_unix(other, "socket-bound-twice"));
	SHOW(listen(fd, 1));
	SHOW(listen(fd, 1));
	SHOW(bind_unix(dgram, "socket-of-datagrams"));
	SHOW(listen(dgram, 1));
	unlink("socket-bound-twice"), unlink("socket-of-datagrams");
}

int main(void)
{
	MUST(open("regular-file", O_CREAT | O_RDWR, 0600));
	MUST(symlink("nowhere-at-all", "link-to-nowhere"));
	MUST(mkdir("directory-with-slash", 0755));
	MUST(symlink("directory-with-slash", "link-to-directory"));
	MUST(symlink("link-to-itself", "link-to-itself"));
	WITH_ONE_AND_TWO_THREADS(check());
}
