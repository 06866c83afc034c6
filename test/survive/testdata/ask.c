/*
 * Binds a TCP socket to each port that it reads, and prints the errno's name, or "works". For port
 * 0, or a path, it binds an AF_UNIX socket as a program with two threads, which needs a helper.
 * /tmp is its working directory, and fd 9.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
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
	char asked[108];
	pthread_t second;
	pthread_create(&second, NULL, sleep_on, NULL);
	if (chdir("/tmp") < 0 || dup2(open(".", O_PATH | O_DIRECTORY), 9) < 0)
		return 2;
	setlinebuf(stdout);
	puts("ready");
	while (scanf("%107s", asked) == 1) {
		int port = atoi(asked);
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
		struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0of a container"};
		int fd = socket(port ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
		if (asked[0] == '/')
			strcpy(name.sun_path, asked);
		int failed = port ? bind(fd, (struct sockaddr *)&a, sizeof a)
				  : bind(fd, (struct sockaddr *)&name, sizeof name);
		puts(failed ? strerrorname_np(errno) : "works");
		close(fd);
	}
}
