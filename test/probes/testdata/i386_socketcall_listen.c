// kind: attack
// arch: i386
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	long block[] = {fd, 1};
	refused(fd, syscall(SYS_socketcall, 4, block));
}
