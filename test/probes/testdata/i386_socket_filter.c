/*
 * kind: behaviour
 * arch: i386
 *
 * A 32-bit program attaches a packet filter (SO_ATTACH_FILTER) through socketcall(2).
 * The value of the option contains a pointer into the program's memory.
 *
 * Bare kernel and port-restricter: the filter is attached. The supervisor makes the
 * call, so it must copy the packet filter too.
 */
#include "probe.h"

int main(void)
{
	struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};
	struct sock_fprog program = {1, all};
	int fd = sock(AF_INET, SOCK_DGRAM, 0);
	long block[] = {fd, SOL_SOCKET, SO_ATTACH_FILTER, (long)&program, sizeof program};
	WORKS(syscall(SYS_socketcall, 14, block));
}
