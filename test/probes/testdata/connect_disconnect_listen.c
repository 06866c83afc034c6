// kind: attack
// A port that connect(2) picked outlives the connection.
#include "probe.h"

int main(void)
{
	int server = sock(AF_INET, SOCK_STREAM, 0), client = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, ALLOWED), none = {.any.sa_family = AF_UNSPEC};
	WORKS(bind_port(server, ALLOWED));
	WORKS(listen(server, 1));
	MUST(connect(client, &a.any, sizeof a.in));
	MUST(connect(client, &none.any, sizeof a.in));
	if (listen(client, 1) == 0)
		no_harm(client);
	else if (errno != EPERM)
		WRONG("listen: %m");
}
