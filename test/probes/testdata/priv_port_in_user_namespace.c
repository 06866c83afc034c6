// kind: behaviour
// ports: 80
// The owner of a user namespace has every capability in it, and none over the network outside.
#include "probe.h"

int main(void)
{
	MUST(unshare(CLONE_NEWUSER));
	FAILS(bind_port(sock(AF_INET, SOCK_STREAM, 0), 80), EACCES);
	thread(idle, NULL);
	FAILS(bind_port(sock(AF_INET, SOCK_STREAM, 0), 80), EACCES);
}
