// kind: attack
// A thread whose fd numbers mean something else than the others'.
#include "probe.h"

static void *run(void *arg)
{
	int number = *(int *)arg;
	MUST(unshare(CLONE_FILES));
	close(number);
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	MUST(dup2(fd, number));
	WORKS(bind_port(number, ALLOWED));
	if (port_of(number) != ALLOWED)
		WRONG("bound to port %d", port_of(number));
	close(number);
	close(fd);
	only_allowed();
	return NULL;
}

int main(void)
{
	int number = sock(AF_INET, SOCK_STREAM, 0);
	pthread_join(thread(run, &number), NULL);
	if (port_of(number))
		WRONG("the other thread's socket of that number was bound to port %d", port_of(number));
}
