/*
 * kind: attack
 *
 * A tracer stops its child at any point of a bind(2), and puts another address into
 * the register.
 *
 * Bare kernel: the forbidden port is bound.
 *
 * port-restricter: seccomp sees the call after the tracer has changed it (since Linux
 * 4.8). The supervisor copies the address once, checks the copy and binds it. The
 * forbidden port is never bound.
 */
#include "registers.h"

static union addr allowed, forbidden;

static void bind_again_and_again(void)
{
	for (;;) {
		int fd = sock(AF_INET, SOCK_DGRAM, 0);
		bind(fd, &allowed.any, sizeof allowed.in);
		no_harm(fd);
		close(fd);
	}
}

int main(void)
{
	allowed = loopback(AF_INET, ALLOWED);
	forbidden = loopback(AF_INET, FORBIDDEN);
	pid_t pid = child();
	if (pid == 0)
		bind_again_and_again();
	usleep(1000);
	MUST(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	MUST(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	int step = 0;
	FOR_A_WHILE {
		struct user_regs_struct regs;
		int status;
		MUST(waitpid(pid, &status, __WALL));
		if (WIFEXITED(status))
			_exit(WEXITSTATUS(status));
		registers(PTRACE_GETREGSET, pid, &regs);
		if (regs.CALL_NUMBER == SYS_bind && regs.SECOND_ARGUMENT == (uintptr_t)&allowed) {
			regs.SECOND_ARGUMENT = (uintptr_t)&forbidden;
			registers(PTRACE_SETREGSET, pid, &regs);
		}
		/* In turn: run to the next system call, or stop at a random moment. */
		if (step++ % 3) {
			MUST(ptrace(PTRACE_SYSCALL, pid, 0, 0));
		} else {
			MUST(ptrace(PTRACE_CONT, pid, 0, 0));
			usleep(rand() % 100);
			MUST(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
		}
	}
	_exit(0);
}
