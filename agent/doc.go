// Package agent is the supervisor of seccomp_unotify(2): it takes over seccomp
// notify fds, each with the state of the container that it belongs to, and binds
// and listens on behalf of the container's processes where the policy allows it.
//
// A Listener receives the fds from OCI runtimes. A Supervisor serves them, one
// session per fd. An attempt is one notification on its way to an answer:
// inspect the target, decide, act, answer. What touches the target's process is
// in package target, and what may be bound is decided by package config.
//
// Three rules hold everywhere in this package. What was checked is what is bound:
// the sockaddr is copied once, the socket is a duplicate, and the kernel never
// looks at the target's memory again (SECCOMP_USER_NOTIF_FLAG_CONTINUE is never
// the answer for an internet socket). A target can block any call that touches
// its memory, its socket or its process for ever, so no lock is held over one and
// the Go scheduler knows of it: no raw system call. An errno is the target's
// answer only if it is the bare error of a call made for the target.
package agent
