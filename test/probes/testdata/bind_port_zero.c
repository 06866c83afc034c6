// kind: attack
// Port 0 is one of the kernel's choice, so not the allowed one.
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	refused(fd, bind_port(fd, 0));
}
