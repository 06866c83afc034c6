/*
 * kind: behaviour
 *
 * A process without capabilities binds port 5000 in a network namespace where
 * ip_unprivileged_port_start is 6000. The process that made the user namespace owns it
 * and has every capability there; so does a supervisor of the same user.
 *
 * Bare kernel and port-restricter: EACCES, for one thread and for two. Port 6000 and
 * above are not touched by the setting.
 */
#include "probe.h"

int main(void)
{
	enter_net_namespace();
	int start = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY);
	if (start < 0)
		NOT_APPLICABLE("ip_unprivileged_port_start: %m");
	MUST(write(start, "6000", 4));
	keep_caps(0);
	WITH_ONE_AND_TWO_THREADS(FAILS(bind_port(sock(AF_INET, SOCK_STREAM, 0), ALLOWED), EACCES));
	WITH_ONE_AND_TWO_THREADS(FAILS(bind_port(sock(AF_INET6, SOCK_DGRAM, 0), ALLOWED), EACCES));
}
