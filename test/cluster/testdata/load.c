/*
 * load PORT: binds to PORT again and again, and prints how often it has after each hundred. It ends
 * at the first bind that fails, and says how.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	at.sin_port = htons(argc > 1 ? atoi(argv[1]) : 0);
	for (long count = 1;; count++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
			perror("bind");
			return 1;
		}
		close(fd);
		if (count % 100 == 0) {
			printf("%ld\n", count);
			fflush(stdout);
		}
		usleep(1000);
	}
}
