// kind: attack
// A supervisor of the target's own would be asked instead of ours, and says yes.
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
	WRONG("a second listener could be made");
}
