#ifndef PORT_RESTRICTER_SANDBOX_H
#define PORT_RESTRICTER_SANDBOX_H

#include <stddef.h>

/* What became of a system call that was tried. */
enum outcome {
	REACHED, /* the kernel */
	REFUSED, /* by an errno that the kernel does not give, for example ENOSYS */
	KILLED,  /* the process that made the call */
};

/* A system call that port-restricter needs. */
struct requirement {
	const char *name, *since;
	int optional; /* it can do without, unless a sandbox kills who makes the call */
};
enum { REQUIREMENTS = 10 };
extern const struct requirement requirements[REQUIREMENTS];

/* The outcome for each requirement, tried before Go's runtime started, and in a sandbox. */
extern enum outcome outcomes[REQUIREMENTS];
extern int in_sandbox;

/*
 * Writes what is missing, and how to mend that, into text. The text is empty if nothing is
 * missing.
 */
void complain(const enum outcome *outcomes, int in_sandbox, char *text, size_t size);

#endif
