/*
 * kind: attack
 *
 * The attack loads a seccomp filter with a listener of its own, which the kernel would
 * ask instead of the supervisor, and which lets every bind(2) through.
 *
 * Bare kernel: the bind works.
 *
 * port-restricter: no second listener can be made. seccomp(2) fails with EBUSY.
 */
#include "probe.h"
#include <sys/ioctl.h>

static volatile int listener = -1;

static void *say_yes(void *arg)
{
	while (listener < 0)
		usleep(100);
	for (;;) {
		struct seccomp_notif ask = {0};
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &ask) < 0)
			continue;
		struct seccomp_notif_resp yes = {.id = ask.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &yes);
	}
	return arg;
}

int main(void)
{
	thread(say_yes, NULL);
	int fd;
	filter(SYS_bind, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER, &fd);
	if (fd < 0 && errno == EBUSY)
		_exit(0);
	listener = MUST(fd);
	fd = sock(AF_INET, SOCK_STREAM, 0);
	bind_forbidden(fd);
	WRONG("a second seccomp listener could be made; expected EBUSY");
}
