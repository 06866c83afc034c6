/*
 * Creates processes until the kernel refuses another one. 20 of them bind sockets for two
 * seconds meanwhile. It prints how binds ended while no process could be created, and how they
 * end once the processes are gone.
 */
#include "probe.h"

enum { BINDERS = 20, REASONS = 134 };

static int *count; /* of binds that ended with this errno; shared */

static void bind_both(void)
{
	char path[32];
	snprintf(path, sizeof path, "socket-of-process-%d", getpid());
	int tcp = sock(AF_INET, SOCK_STREAM, 0), local = sock(AF_UNIX, SOCK_STREAM, 0), on = 1;
	MUST(setsockopt(tcp, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
	count[bind_port(tcp, ALLOWED) < 0 ? errno : 0]++;
	count[bind_unix(local, path) < 0 ? errno : 0]++;
	unlink(path);
	close(tcp);
	close(local);
}

static void show_all(const char *when)
{
	printf("%s:", when);
	for (int i = 0; i < REASONS; i++)
		if (count[i])
			printf(" %s", i ? strerrorname_np(i) : "works");
	printf("\n");
	memset(count, 0, REASONS * sizeof *count);
}

int main(void)
{
	pid_t pid;
	int n = 0, status;
	volatile int *full = shared(sizeof *full);
	count = shared(REASONS * sizeof *count);
	for (; (pid = fork()) >= 0; n++)
		if (pid == 0) {
			while (!*full)
				usleep(1000);
			FOR_A_WHILE
				if (n < BINDERS)
					bind_both();
				else
					usleep(100000);
			_exit(0);
		}
	printf("after some processes: %s\n", strerrorname_np(errno));
	*full = 1;
	/* In any order: a bind may wait until the supervisor can create a thread. */
	while (wait(&status) > 0)
		if (status)
			SETUP("a process ended with status %#x", status);
	show_all("meanwhile");
	for (int i = 0; i < 10; i++)
		bind_both();
	show_all("afterwards");
}
