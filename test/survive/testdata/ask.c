/*
 * Binds a TCP socket to each port that it reads, and prints the errno's name, or "works". For port
 * 0 it binds an AF_UNIX socket as a program with two threads, which needs a helper.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void *sleep_on(void *unused)
{
	pause();
	return unused;
}

int main(void)
{
	int port;
	pthread_t second;
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0of a container"};
	pthread_create(&second, NULL, sleep_on, NULL);
	setlinebuf(stdout);
	puts("ready");
	while (scanf("%d", &port) == 1) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
		int fd = socket(port ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
		int failed = port ? bind(fd, (struct sockaddr *)&a, sizeof a)
				  : bind(fd, (struct sockaddr *)&name, sizeof name);
		puts(failed ? strerrorname_np(errno) : "works");
		close(fd);
	}
}
