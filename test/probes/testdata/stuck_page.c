/*
 * kind: behaviour
 *
 * Threads bind with addresses on pages that userfaultfd(2) (Linux 4.3) holds back.
 *
 * Bare kernel and port-restricter: each bind waits for its own page, and works once
 * the page is there. A bind of another process works meanwhile.
 */
#include "probe.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

enum { STUCK = 4 };

static void *bind_at(void *page)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	WORKS(bind(fd, page, sizeof(struct sockaddr_in)));
	if (port_of(fd) != ALLOWED)
		WRONG("bound to port %d, not to the allowed one", port_of(fd));
	close(fd);
	return NULL;
}

int main(void)
{
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 && errno == EPERM)
		NOT_APPLICABLE("userfaultfd: %m");
	struct uffdio_api api = {.api = UFFD_API};
	MUST(uffd);
	MUST(ioctl(uffd, UFFDIO_API, &api));
	pthread_t all[STUCK];
	static char pages[STUCK][4096] __attribute__((aligned(4096)));
	for (int i = 0; i < STUCK; i++) {
		void *page = MUST(mmap(pages[i], 4096, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		struct uffdio_register range = {{(uintptr_t)page, 4096}, UFFDIO_REGISTER_MODE_MISSING, 0};
		MUST(ioctl(uffd, UFFDIO_REGISTER, &range));
		all[i] = thread(bind_at, page);
	}
	usleep(300000);
	double start = now();
	CHILD(
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		WORKS(bind_port(fd, ALLOWED));
		WORKS(listen(fd, 1)));
	if (now() - start > at_most(5))
		WRONG("bind and listen of another process took %.1f s", now() - start);
	static char source[4096] __attribute__((aligned(4096)));
	union addr good = loopback(AF_INET, ALLOWED);
	memcpy(source, &good, sizeof good);
	for (int i = 0; i < STUCK; i++) {
		struct uffdio_copy copy = {
			.dst = (uintptr_t)pages[i], .src = (uintptr_t)source, .len = 4096};
		MUST(ioctl(uffd, UFFDIO_COPY, &copy));
		pthread_join(all[i], NULL);
	}
}
