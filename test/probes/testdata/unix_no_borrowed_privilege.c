// kind: behaviour
// Who may not write to a directory makes no socket in it, whatever the supervisor may.
#include "probe.h"

static void check(void)
{
	keep_caps(0);
	FAILS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), "read-only-directory/socket"), EACCES);
}

int main(void)
{
	MUST(mkdir("read-only-directory", 0555));
	ALONE_AND_IN_COMPANY(check());
}
