#ifndef PORT_RESTRICTER_ENVIRONMENT_H
#define PORT_RESTRICTER_ENVIRONMENT_H

#include <sys/types.h>

/*
 * Edits the environment of a forked child for CMD. The variables by which a service
 * manager names the process that they are for name the child where they named the
 * supervisor, whose pid is given as the supervisor itself sees it. notify is an entry
 * for NOTIFY_SOCKET, empty to take that out, or NULL to leave it as it is. Every other entry stays as it is,
 * duplicates and entries without a "=" as well. It takes no lock, and allocates nothing.
 */
void environment_edit(pid_t supervisor, char *notify);

#endif
