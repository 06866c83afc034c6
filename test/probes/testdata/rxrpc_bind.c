/*
 * kind: attack
 *
 * bind(2) of an AF_RXRPC socket binds a UDP port inside the kernel.
 *
 * Bare kernel: binds the forbidden port.
 *
 * port-restricter: the call is refused.
 */
#include "probe.h"
#include <linux/rxrpc.h>

int main(void)
{
	int fd = sock(AF_RXRPC, SOCK_DGRAM, PF_INET);
	struct sockaddr_rxrpc a = {
		.srx_family = AF_RXRPC,
		.srx_service = 1,
		.transport_type = SOCK_DGRAM,
		.transport_len = sizeof(struct sockaddr_in),
		.transport.sin = {.sin_family = AF_INET, .sin_port = htons(FORBIDDEN)},
	};
	if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0)
		BROKEN("the kernel bound UDP port %d", FORBIDDEN);
}
