// kind: behaviour
// arch: i386
// A packet filter set through socketcall(2): its value holds a pointer.
#include "probe.h"

int main(void)
{
	struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};
	struct sock_fprog program = {1, all};
	int fd = sock(AF_INET, SOCK_DGRAM, 0);
	long block[] = {fd, SOL_SOCKET, SO_ATTACH_FILTER, (long)&program, sizeof program};
	WORKS(syscall(SYS_socketcall, 14, block));
}
