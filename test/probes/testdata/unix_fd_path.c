/*
 * kind: behaviour
 *
 * A process with several threads binds AF_UNIX sockets to paths that begin at a directory of its
 * own in /proc: an fd, as programs do for long paths, the working directory, or the root.
 *
 * Bare kernel and port-restricter: the file is made in that directory.
 */
#include "probe.h"

static void bind_at(const char *format, ...)
{
	char path[108];
	va_list rest;
	va_start(rest, format);
	vsnprintf(path, sizeof(path), format, rest);
	va_end(rest);
	WORKS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), path));
}

int main(void)
{
	char here[80];
	MUST(mkdir("directory-of-an-fd", 0755));
	MUST(mkdir("working-directory", 0755));
	int directory = MUST(open("directory-of-an-fd", O_PATH | O_DIRECTORY));
	MUST(chdir("working-directory"));
	if (!getcwd(here, sizeof(here)))
		return 2;
	thread(idle, NULL);
	bind_at("/proc/self/fd/%d/self", directory);
	bind_at("/proc/thread-self/fd/%d/thread", directory);
	bind_at("/proc/self/cwd/self");
	bind_at("/proc/thread-self/cwd/thread");
	bind_at("/proc/self/root%s/root", here);
	WORKS(access("../directory-of-an-fd/self", F_OK));
	WORKS(access("../directory-of-an-fd/thread", F_OK));
	WORKS(access("self", F_OK));
	WORKS(access("thread", F_OK));
	WORKS(access("root", F_OK));
}
