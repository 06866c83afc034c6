/*
 * attacker stuck N: N threads bind from pages that never come.
 * attacker hammer N: N processes bind and close without end.
 * Prints a line once all have begun, and goes on until it is killed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static void *bind_from(void *page)
{
	bind(socket(AF_INET, SOCK_STREAM, 0), page, sizeof(struct sockaddr_in));
	return NULL;
}

static void stick(int n)
{
	struct uffdio_api api = {.api = UFFD_API};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) < 0)
		fail("userfaultfd");
	for (int i = 0; i < n; i++) {
		void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct uffdio_register range = {{(uintptr_t)page, 4096}, UFFDIO_REGISTER_MODE_MISSING, 0};
		if (ioctl(uffd, UFFDIO_REGISTER, &range) < 0)
			fail("register a page");
		pthread_t thread;
		if (pthread_create(&thread, NULL, bind_from, page))
			fail("make a thread");
	}
}

static void hammer(int n)
{
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();
		if (pid < 0)
			fail("fork");
		if (pid > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(5000), .sin_addr.s_addr = htonl(INADDR_LOOPBACK + i)};
		for (;;) {
			int fd = socket(AF_INET, SOCK_STREAM, 0);
			bind(fd, (struct sockaddr *)&at, sizeof at);
			close(fd);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	(strcmp(argv[1], "stuck") ? hammer : stick)(atoi(argv[2]));
	sleep(1);
	puts("begun");
	fflush(stdout);
	for (;;)
		pause();
}
