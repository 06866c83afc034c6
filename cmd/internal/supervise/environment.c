#define _GNU_SOURCE
#include "environment.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Unlike os.Environ, which leaves out duplicates and empty strings, this has them all. */
extern char **environ;

struct entry {
	char text[sizeof "SYSTEMD_EXEC_PID=" + 10]; /* a pid has up to 10 digits */
};

static struct entry entry_of(const char *name, pid_t pid)
{
	struct entry entry;
	size_t length = strlen(name);
	memcpy(entry.text, name, length);
	for (pid_t rest = pid; rest; rest /= 10)
		length++;
	entry.text[length] = 0;
	for (; pid; pid /= 10)
		entry.text[--length] = '0' + pid % 10;
	return entry;
}

/* Returns whether an entry was equal to before. */
static int replace(const char *before, char *after)
{
	int found = 0;
	for (char **e = environ; *e; e++)
		if (strcmp(*e, before) == 0) {
			*e = after;
			found = 1;
		}
	return found;
}

static void take_out(const char *name)
{
	char **kept = environ;
	for (char **e = environ; *e; e++)
		if (strncmp(*e, name, strlen(name)) != 0)
			*kept++ = *e;
	*kept = NULL;
}

void environment_edit(pid_t supervisor, char *notify)
{
	/* sd_listen_fds(3), sd_watchdog_enabled(3), systemd.exec(5) */
	static const char *const names[] = {"LISTEN_PID=", "WATCHDOG_PID=", "SYSTEMD_EXEC_PID="};
	static struct entry after[3];
	pid_t self = syscall(SYS_getpid);

	if (!environ)
		return;
	for (int i = 0; i < 3; i++) {
		struct entry before = entry_of(names[i], supervisor);
		after[i] = entry_of(names[i], self);
		/*
		 * Newer versions of systemd put the inode of the process's pidfd beside
		 * LISTEN_PID. It is checked only if it is there.
		 */
		if (replace(before.text, after[i].text) && i == 0)
			take_out("LISTEN_PIDFDID=");
	}
	if (notify && !*notify)
		take_out("NOTIFY_SOCKET=");
	for (char **e = environ; notify && *e; e++)
		if (strncmp(*e, "NOTIFY_SOCKET=", strlen("NOTIFY_SOCKET=")) == 0)
			*e = notify;
}
