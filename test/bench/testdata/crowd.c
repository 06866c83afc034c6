/*
 * crowd SOCKET N BINDS: starts N processes, each under a filter of its own. Each
 * process attaches to the agent at SOCKET as a container. Then one of them binds BINDS
 * times. It prints how many ns all processes took to attach, and the mean, the median
 * and the 99th percentile of a bind in ns. It ends when its stdin ends, and kills its
 * process group.
 *
 * crowd SOCKET N 0: starts N processes, at most 8 at the same time. Each process
 * attaches, binds once and ends.
 */
#define _GNU_SOURCE
#include "session.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

static const char *agent;

static uint64_t bind_once(int host)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(5000),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t start = now();
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
		fail("bind");
	start = now() - start;
	close(fd);
	return start;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/*
 * Pipes that synchronize the crowd. Each process writes a byte to come when it has done
 * a step, and starts to attach when the other end of go is closed.
 */
static int come[2], go[2];

/* Waits until n processes have done a step. */
static void await(int n)
{
	char byte;
	for (int i = 0; i < n; i++)
		if (read(come[0], &byte, 1) != 1)
			fail("wait for the processes of the crowd");
}

static void churn(int n)
{
	for (int started = 0, running = 0; started < n || running > 0;) {
		if (started < n && running < 8) {
			if (fork() == 0) {
				attach(agent, load(), started, 5000);
				bind_once(started % 200);
				_exit(0);
			}
			started++;
			running++;
			continue;
		}
		int status;
		if (wait(&status) < 0 || status)
			fail("a process could not attach and bind");
		running--;
	}
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	setpgid(0, 0); /* the crowd ends by a signal to its group */
	agent = argv[1];
	int n = atoi(argv[2]), binds = atoi(argv[3]);
	if (binds == 0) {
		churn(n);
		return 0;
	}
	if (pipe(come) < 0 || pipe(go) < 0)
		fail("pipe");
	uint64_t *took = mmap(NULL, binds * sizeof *took, PROT_READ | PROT_WRITE,
	                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();
		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			char byte;
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(come[0]);
			close(go[1]);
			int notify = load();
			(void)!write(come[1], "", 1);
			(void)!read(go[0], &byte, 1); /* returns when go is closed */
			attach(agent, notify, i, 5000);
			(void)!write(come[1], "", 1);
			if (i == 0) {
				sleep(1);
				for (int b = -binds / 10; b < binds; b++) {
					uint64_t t = bind_once(0);
					if (b >= 0)
						took[b] = t;
				}
				(void)!write(come[1], "", 1);
			}
			for (;;)
				pause();
		}
	}
	close(go[0]);
	await(n);
	uint64_t start = now();
	close(go[1]);
	await(n);
	start = now() - start;
	await(1);
	qsort(took, binds, sizeof *took, compare);
	uint64_t sum = 0;
	for (int i = 0; i < binds; i++)
		sum += took[i];
	printf("%lu %lu %lu %lu\n", start, sum / binds, took[binds / 2], took[binds * 99 / 100]);
	fflush(stdout);
	while (read(0, &start, sizeof start) > 0)
		;
	kill(0, SIGKILL);
}
