/* Prints the IPv4 addresses of a host, as getaddrinfo(3) of the C library finds them. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char text[INET_ADDRSTRLEN];

	if (argc != 2)
		return 2;
	int error = getaddrinfo(argv[1], NULL, &hints, &found);
	if (error) {
		printf("getaddrinfo: %s\n", gai_strerror(error));
		return 1;
	}
	for (; found; found = found->ai_next) {
		struct sockaddr_in *address = (struct sockaddr_in *)found->ai_addr;
		puts(inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text)));
	}
	return 0;
}
