/*
 * Stops, continues and kills the supervisor of the command line, its parent, as a process
 * of the same user can. It prints how binds end at each stage.
 */
#include "probe.h"

/*
 * Binds in a child process. Returns "works", an errno, or "waits" if the bind has not
 * ended after a second.
 */
static const char *bind_within_a_second(int port)
{
	pid_t pid = child();
	if (pid == 0)
		_exit(bind_port(sock(AF_INET, SOCK_STREAM, 0), port) < 0 ? errno : 0);
	int status;
	for (int i = 0; i < 100; i++, usleep(10000))
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "works";
	kill(pid, SIGKILL);
	return "waits";
}

static void show_binds(const char *when)
{
	printf("%s: 5000 %s, ", when, bind_within_a_second(5000));
	printf("5001 %s\n", bind_within_a_second(5001));
}

int main(void)
{
	pid_t supervisor = getppid();
	show_binds("served");
	MUST(kill(supervisor, SIGSTOP));
	show_binds("stopped");
	MUST(kill(supervisor, SIGCONT));
	show_binds("continued");
	MUST(kill(supervisor, SIGKILL));
	while (getppid() == supervisor)
		usleep(1000);
	show_binds("killed");
	return 0;
}
