/*
 * crowd SOCKET N PORT RATE: starts N processes, each of which attaches to the agent at SOCKET as
 * a container that may bind a port of its own, the first one PORT. It prints how many ns that
 * took. Then it obeys lines:
 *   go    the processes bind, together about RATE times a second, each fourth time to the port
 *         below PORT, which is denied
 *   stop  they end what they have begun, and what they have counted is printed: the binds that
 *         were asked for, those answered within a minute, those answered wrongly and those with
 *         ENOSYS; the median, the 99th percentile and the longest of a bind in ns
 * It ends when its stdin ends, and kills its process group.
 */
#define _GNU_SOURCE
#include "session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

/* The buckets of a histogram: STEPS for each power of two. */
enum { STEPS = 32, BUCKETS = 64 * STEPS };

static struct shared {
	int go;
	long asked, answered, wrong, lost;
	uint64_t longest, took[BUCKETS];
} *all;

static unsigned bucket(uint64_t ns)
{
	unsigned power = 63 - __builtin_clzll(ns | STEPS);
	return power * STEPS + ((ns >> (power - 5)) & (STEPS - 1));
}

/* Returns the lowest duration of a bucket. */
static uint64_t lowest(unsigned bucket)
{
	return (uint64_t)(STEPS + bucket % STEPS) << (bucket / STEPS - 5);
}

static uint64_t percentile(long count, int percent)
{
	long seen = 0;
	for (unsigned i = 0; i < BUCKETS; i++)
		if ((seen += all->took[i]) * 100 > count * percent)
			return lowest(i);
	return 0;
}

static void add(long *count) { __atomic_fetch_add(count, 1, __ATOMIC_RELAXED); }

static void bind_once(int port, int wanted)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	add(&all->asked);
	uint64_t took = now();
	int got = bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ? errno : 0;
	took = now() - took;
	close(fd);
	if (got == ENOSYS)
		add(&all->lost);
	else if (got != wanted)
		add(&all->wrong);
	__atomic_fetch_add(&all->took[bucket(took)], 1, __ATOMIC_RELAXED);
	uint64_t longest = __atomic_load_n(&all->longest, __ATOMIC_RELAXED);
	while (took > longest && !__atomic_compare_exchange_n(&all->longest, &longest, took, 0,
	                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	add(&all->answered);
}

/* Binds every period µs while the crowd is to go. */
static void load_agent(int port, int denied, unsigned period)
{
	srand(port);
	for (;;) {
		while (!__atomic_load_n(&all->go, __ATOMIC_ACQUIRE))
			syscall(SYS_futex, &all->go, FUTEX_WAIT, 0, NULL);
		usleep(rand() % period);
		for (int i = port; __atomic_load_n(&all->go, __ATOMIC_ACQUIRE); i++) {
			bind_once(i % 4 ? port : denied, i % 4 ? 0 : EPERM);
			usleep(period / 2 + rand() % period);
		}
	}
}

static void stop(void)
{
	__atomic_store_n(&all->go, 0, __ATOMIC_RELEASE);
	uint64_t end = now() + 60000000000ull;
	do
		usleep(100000);
	while (all->asked != all->answered && now() < end);
	printf("%ld %ld %ld %ld %lu %lu %lu\n", all->asked, all->answered, all->wrong, all->lost,
	       percentile(all->answered, 50), percentile(all->answered, 99), all->longest);
	fflush(stdout);
	memset(all, 0, sizeof *all);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	setpgid(0, 0); /* the crowd ends by a signal to its group */
	int n = atoi(argv[2]), port = atoi(argv[3]), come[2], start[2];
	unsigned period = 1000000l * n / atoi(argv[4]);
	char byte, line[16];
	all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* Each process writes a byte to come when it has loaded its filter, and when it is attached. */
	if (pipe(come) < 0 || pipe(start) < 0)
		fail("pipe");
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();
		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(come[0]);
			close(start[1]);
			int notify = load();
			(void)!write(come[1], "", 1);
			(void)!read(start[0], &byte, 1); /* returns when start is closed */
			attach(argv[1], notify, port + i, port + i);
			(void)!write(come[1], "", 1);
			load_agent(port + i, port - 1, period);
		}
	}
	close(come[1]);
	for (int i = 0; i < 2 * n; i++) {
		if (i == n) {
			all->longest = now();
			close(start[1]);
		}
		if (read(come[0], &byte, 1) != 1)
			fail("wait for the processes of the crowd");
	}
	printf("%lu\n", now() - all->longest);
	fflush(stdout);
	memset(all, 0, sizeof *all);
	while (fgets(line, sizeof line, stdin)) {
		if (line[0] != 'g') {
			stop();
			continue;
		}
		__atomic_store_n(&all->go, 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, &all->go, FUTEX_WAKE, INT_MAX);
	}
	kill(0, SIGKILL);
}
