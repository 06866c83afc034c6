// kind: attack
// A network namespace of its own.
#include "probe.h"

#include <net/if.h>
#include <sys/ioctl.h>

int main(void)
{
	MUST(unshare(CLONE_NEWUSER | CLONE_NEWNET));
	struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	MUST(ioctl(sock(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &up));
	only_allowed();
}
