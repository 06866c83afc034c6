/*
 * caller KIND PROCESSES COUNT PAUSE: makes COUNT calls of a KIND in each of PROCESSES
 * processes at the same time, each after a PAUSE in ms. It prints the mean, the median and
 * the 99th percentile of the time that one call takes, in ns. The kinds are:
 *
 *   allowed  bind(2) to port 5000, at an address that no other process uses
 *   denied   bind(2) to port 5001
 *   unix     bind(2) to a path, by a process with one thread
 *   shm      the same in /dev/shm, which in a container is a file system of its own
 *   threaded as unix, by a process with two threads
 *   getppid  a call that the filter of no supervisor here asks about
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static void *sleep_on(void *unused)
{
	pause();
	return unused;
}

static int pause_ms;

/* Makes one call and returns how long it took, in ns. */
static uint64_t one(const char *kind, int process)
{
	uint64_t start;
	if (pause_ms)
		usleep(1000 * pause_ms);
	if (!strcmp(kind, "getppid")) {
		/* A single call is too short for the clock. */
		start = now();
		for (int i = 0; i < 1000; i++)
			syscall(SYS_getppid);
		return (now() - start) / 1000;
	}
	int denied = !strcmp(kind, "denied"), result, error;
	int shm = !strcmp(kind, "shm");
	if (shm || !strcmp(kind, "unix") || !strcmp(kind, "threaded")) {
		struct sockaddr_un path = {.sun_family = AF_UNIX};
		snprintf(path.sun_path, sizeof path.sun_path, "%s/bench-%d",
		         shm ? "/dev/shm" : ".", process);
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		start = now();
		result = bind(fd, (struct sockaddr *)&path, sizeof path);
		start = now() - start;
		close(fd);
		if (result < 0)
			fail("bind to a path");
		unlink(path.sun_path);
		return start;
	}
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(denied ? 5001 : 5000),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + process),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	start = now();
	result = bind(fd, (struct sockaddr *)&at, sizeof at);
	start = now() - start;
	error = errno;
	close(fd);
	/*
	 * Another process that reads /proc/PID/fd can hold the previous socket open
	 * for a moment longer.
	 */
	if (result < 0 && error == EADDRINUSE)
		return one(kind, process);
	/* On the bare kernel, the bind to port 5001 succeeds. */
	if (result < 0 && !(denied && (error == EPERM || error == EACCES)))
		fail("bind");
	return start;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	pause_ms = atoi(argv[4]);
	int processes = atoi(argv[2]), count = atoi(argv[3]), warm = count / 10;
	size_t all = (size_t)processes * count;
	uint64_t *took = mmap(NULL, all * sizeof *took, PROT_READ | PROT_WRITE,
	                      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	/* Process 0 is this process, since the C original does not serve its children. */
	int p = processes;
	while (--p > 0 && fork())
		;
	pthread_t second;
	if (!strcmp(argv[1], "threaded") && pthread_create(&second, NULL, sleep_on, NULL))
		return 1;
	for (int i = 0; i < warm; i++)
		one(argv[1], p);
	for (int i = 0; i < count; i++)
		took[(size_t)p * count + i] = one(argv[1], p);
	if (p > 0)
		_exit(0);
	for (int status; p < processes - 1; p++)
		if (wait(&status) < 0 || status)
			return 1;
	qsort(took, all, sizeof *took, compare);
	uint64_t sum = 0;
	for (size_t i = 0; i < all; i++)
		sum += took[i];
	printf("%lu %lu %lu\n", sum / all, took[all / 2], took[all * 99 / 100]);
	return 0;
}
