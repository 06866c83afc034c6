#define _GNU_SOURCE
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct mapping {
	uintptr_t start, end;
	int shared, is_file, is_kernels;
};

static uintptr_t number(const char **text, int base)
{
	uintptr_t n = 0;
	for (;; (*text)++) {
		int digit = **text - (**text >= 'a' ? 'a' - 10 : '0');
		if (digit < 0 || digit >= base)
			return n;
		n = n * base + digit;
	}
}

static const char *skip(const char *text, int words)
{
	for (; words; words--) {
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
	return text;
}

/* Parses a line of /proc/PID/maps: start-end permissions offset device inode name. */
static struct mapping parse(const char *line)
{
	struct mapping m = {0};
	m.start = number(&line, 16);
	line++;
	m.end = number(&line, 16);
	line = skip(line, 1);
	m.shared = line[3] == 's';
	line = skip(line, 3);
	m.is_file = number(&line, 10) != 0;
	m.is_kernels = strncmp(skip(line, 1), "[v", 2) == 0; /* vdso, vvar, vsyscall */
	return m;
}

static char buffer[8192]; /* in .bss */

static int contains(struct mapping m, const void *address)
{
	return m.start <= (uintptr_t)address && (uintptr_t)address < m.end;
}

int give_back_memory(void)
{
	size_t length = 0;
	long n;
	int local, maps = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (maps < 0)
		return errno;
	while ((n = syscall(SYS_read, maps, buffer + length, sizeof buffer - 1 - length)) > 0) {
		char *line = buffer, *end;
		buffer[length += n] = 0;
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = 0;
			struct mapping m = parse(line);
			if ((m.is_file && !m.shared) || m.is_kernels || contains(m, &local) ||
			    contains(m, &errno) || contains(m, buffer))
				continue;
			syscall(SYS_munmap, m.start, m.end - m.start);
		}
		length = strlen(line);
		memmove(buffer, line, length);
	}
	int error = n < 0 ? errno : 0;
	syscall(SYS_close, maps);
	return error;
}
