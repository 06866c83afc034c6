/*
 * kind: behaviour
 *
 * A process with several threads binds an AF_UNIX socket to a path that begins at an fd of
 * its own, /proc/self/fd/N/NAME, as programs do for long paths. NAME is in a directory that
 * is not the working directory.
 *
 * Bare kernel and port-restricter: the file is made in the directory of the fd.
 */
#include "probe.h"

static void bind_at(const char *process, int directory, const char *name)
{
	char path[108];
	snprintf(path, sizeof(path), "/proc/%s/fd/%d/%s", process, directory, name);
	WORKS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), path));
}

int main(void)
{
	MUST(mkdir("directory-of-an-fd", 0755));
	int directory = MUST(open("directory-of-an-fd", O_PATH | O_DIRECTORY));
	thread(idle, NULL);
	bind_at("self", directory, "self");
	bind_at("thread-self", directory, "thread");
	WORKS(access("directory-of-an-fd/self", F_OK));
	WORKS(access("directory-of-an-fd/thread", F_OK));
}
