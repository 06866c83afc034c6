/*
 * kind: attack
 *
 * A seccomp filter that the target loads hands a harmless call to the target's tracer
 * (SECCOMP_RET_TRACE), and the tracer turns the call into a bind(2).
 *
 * Bare kernel: the forbidden port is bound.
 *
 * port-restricter: the kernel runs all filters again after the tracer has changed the
 * call (since Linux 4.8). The bind(2) is refused.
 */
#include "registers.h"

int main(void)
{
	union addr a = loopback(AF_INET, FORBIDDEN);
	pid_t pid = child();
	if (pid == 0) {
		int fd = sock(AF_INET, SOCK_STREAM, 0), loaded;
		MUST(ptrace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		filter(SYS_getppid, SECCOMP_RET_TRACE, 0, &loaded);
		MUST(loaded);
		if (syscall(SYS_getppid, fd, &a, sizeof a.in) == 0)
			listen(fd, 1);
		no_harm(fd);
		_exit(0);
	}
	int status;
	MUST(waitpid(pid, &status, 0));
	MUST(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL));
	MUST(ptrace(PTRACE_CONT, pid, 0, 0));
	while (MUST(waitpid(pid, &status, 0)) && WIFSTOPPED(status)) {
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
			change_call(pid, SYS_bind);
		MUST(ptrace(PTRACE_CONT, pid, 0, 0));
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : SETUP_;
}
