/*
 * kind: behaviour
 *
 * A thread with a working directory and a umask of its own (unshare(CLONE_FS)) binds
 * an AF_UNIX socket to a relative path.
 *
 * Bare kernel and port-restricter: the file is made in the working directory of the
 * thread, and its mode obeys the umask of the thread.
 */
#include "probe.h"

static void *run(void *arg)
{
	struct stat st;
	MUST(unshare(CLONE_FS));
	MUST(chdir("thread-directory"));
	umask(077);
	WORKS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), "socket-of-a-thread"));
	WORKS(stat("socket-of-a-thread", &st));
	if ((st.st_mode & 0777) != 0700)
		WRONG("the mode of the socket's file is %o, not 700", st.st_mode & 0777);
	return arg;
}

int main(void)
{
	MUST(mkdir("thread-directory", 0755));
	pthread_join(thread(run, NULL), NULL);
	WORKS(access("thread-directory/socket-of-a-thread", F_OK));
}
