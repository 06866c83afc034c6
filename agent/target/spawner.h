#ifndef PORT_RESTRICTER_SPAWNER_H
#define PORT_RESTRICTER_SPAWNER_H

#include <linux/filter.h>
#include <stdint.h>

enum { FILTER_LIMIT = 1024 };
enum { READY = 3 }; /* how many helpers wait for requests */

struct spawner {
	int requests;  /* a SOCK_SEQPACKET socket, from which helpers receive requests */
	uint64_t caps; /* the capabilities that helpers may have */
	int nice;      /* is added to their niceness */
	unsigned short filter_length; /* 0: no filter */
	const struct sock_filter *filter;
};

/*
 * The child's function, for fork_and_run with a struct spawner. It writes an int to requests: 0, or
 * the errno for which it can't serve.
 */
void spawner_run(void *spawner);

#endif
