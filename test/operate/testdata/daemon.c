/* daemon TCP UDP: listens on the TCP port and binds the UDP port, as a daemon that has left the
   process that started it. It ends with its container. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int bound(int type, const char *port) {
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	int fd = socket(AF_INET, type, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at))
		exit(1);
	return fd;
}

int main(int argc, char **argv) {
	if (argc != 3 || listen(bound(SOCK_STREAM, argv[1]), 1))
		return 1;
	bound(SOCK_DGRAM, argv[2]);
	prctl(PR_SET_NAME, "a\033[31mb");
	if (fork())
		return 0;
	setsid();
	for (int fd = 0; fd < 3; fd++) /* runc waits until nobody has them */
		close(fd);
	pause();
}
