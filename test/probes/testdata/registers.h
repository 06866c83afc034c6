/* The registers of a traced process that is at a system call. */
#include "probe.h"

#include <elf.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifdef __x86_64__
#define CALL_NUMBER orig_rax
#define SECOND_ARGUMENT rsi
#else
#define CALL_NUMBER regs[8]
#define SECOND_ARGUMENT regs[1]
#endif

static inline void registers(enum __ptrace_request request, pid_t pid,
			     struct user_regs_struct *registers)
{
	struct iovec all = {registers, sizeof *registers};
	MUST(ptrace(request, pid, NT_PRSTATUS, &all));
}

static inline void change_call(pid_t pid, int number)
{
#ifdef __x86_64__
	struct user_regs_struct regs;
	registers(PTRACE_GETREGSET, pid, &regs);
	regs.CALL_NUMBER = number;
	registers(PTRACE_SETREGSET, pid, &regs);
#else
	struct iovec one = {&number, sizeof number};
	MUST(ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &one));
#endif
}
