// kind: attack
// 300 short lives, whose ids come back to others.
#include "probe.h"

int main(void)
{
	for (int i = 0; i < 300; i++)
		CHILD(int fd = sock(AF_INET, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0); WORKS(bind_port(fd, ALLOWED));
		      fd = sock(AF_INET, SOCK_STREAM, 0); bind_forbidden(fd));
}
