/*
 * A hostile container, in one of these modes:
 *
 *   attacker stuck N    N threads bind from pages that never come
 *   attacker slow N     N threads bind without end from pages that come after 3 ms each time
 *   attacker hammer N   N processes bind and close without end
 *   attacker names N    N threads bind to AF_UNIX names without end
 *   attacker scans N    N processes bind to AF_UNIX names without end, and one forks without end
 *
 * It prints a line once all threads or processes have begun, and runs until it is killed.
 * The modes stuck and slow need userfaultfd(2).
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
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static void start(void *(*run)(void *), void *argument)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, run, argument))
		fail("create a thread");
}

/* Starts a process. Returns 1 in it. */
static int split(void)
{
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid == 0;
}

/* A page that is not there. The kernel reports each access to it through uffd. */
struct missing {
	void *page;
	int uffd;
};

static struct missing *new_missing(void)
{
	struct missing *m = malloc(sizeof *m);
	m->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {{(uintptr_t)m->page, 4096}, UFFDIO_REGISTER_MODE_MISSING, 0};
	if (m->uffd < 0 || ioctl(m->uffd, UFFDIO_API, &api) < 0 ||
	    ioctl(m->uffd, UFFDIO_REGISTER, &range) < 0)
		fail("register a page with userfaultfd");
	return m;
}

/* Binds without end. The sockaddr is in the missing page, which is removed each time. */
static void *bind_from(void *missing)
{
	struct missing *m = missing;
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		bind(fd, m->page, sizeof(struct sockaddr_in));
		close(fd);
		madvise(m->page, 4096, MADV_DONTNEED);
	}
	return NULL;
}

/* Supplies the missing page, 3 ms after each access to it. */
static void *bring(void *missing)
{
	struct missing *m = missing;
	for (struct uffd_msg wanted; read(m->uffd, &wanted, sizeof wanted) > 0;) {
		struct uffdio_zeropage zero = {.range = {(uintptr_t)m->page, 4096}};
		usleep(3000);
		ioctl(m->uffd, UFFDIO_ZEROPAGE, &zero);
	}
	return NULL;
}

static void stick(int n)
{
	for (int i = 0; i < n; i++)
		start(bind_from, new_missing());
}

static void delay(int n)
{
	for (int i = 0; i < n; i++) {
		struct missing *m = new_missing();
		start(bring, m);
		start(bind_from, m);
	}
}

static void hammer(int n)
{
	for (int i = 0; i < n; i++) {
		if (!split())
			continue;
		struct sockaddr_in at = {
			.sin_family = AF_INET,
			.sin_port = htons(5000),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i),
		};
		for (;;) {
			int fd = socket(AF_INET, SOCK_STREAM, 0);
			bind(fd, (struct sockaddr *)&at, sizeof at);
			close(fd);
		}
	}
}

/* Binds without end to an abstract name that no other thread uses. */
static void *bind_name(void *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "%p-%030d", name, getpid());
	for (;;) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		bind(fd, (struct sockaddr *)&at, sizeof at);
		close(fd);
	}
	return NULL;
}

static void names(int n)
{
	for (intptr_t i = 0; i < n; i++)
		start(bind_name, (void *)i);
}

/* Each bind makes the agent scan all tasks, since a task was created after the last scan. */
static void scans(int n)
{
	for (intptr_t i = 0; i < n; i++)
		if (split())
			bind_name((void *)i);
	if (split())
		for (;;) {
			if (split())
				_exit(0);
			wait(NULL);
		}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	static const struct {
		const char *name;
		void (*begin)(int);
	} modes[] = {
		{"stuck", stick}, {"slow", delay}, {"hammer", hammer}, {"names", names}, {"scans", scans},
	};
	size_t i = 0;
	while (i < sizeof modes / sizeof *modes && strcmp(argv[1], modes[i].name))
		i++;
	if (i == sizeof modes / sizeof *modes)
		return 2;
	modes[i].begin(atoi(argv[2]));
	sleep(1);
	puts("begun");
	fflush(stdout);
	for (;;)
		pause();
}
