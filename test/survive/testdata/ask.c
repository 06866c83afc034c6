/*
 * Binds a TCP socket to each port that it reads, and prints the errno's name, or "works".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	int port;
	setlinebuf(stdout);
	puts("ready");
	while (scanf("%d", &port) == 1) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		int failed = bind(fd, (struct sockaddr *)&a, sizeof a);
		puts(failed ? strerrorname_np(errno) : "works");
		close(fd);
	}
}
