// Package target does everything that touches another process: it opens the
// pidfd of a thread that waits for a notification to be answered, reads its
// memory, duplicates its sockets, determines who else shares its file table, and
// makes a system call in its place, with its identity.
//
// The package knows nothing of policies or of notifications. It depends on
// pidfd_getfd(2), process_vm_readv(2), kcmp(2) and proc(5).
//
// The id of a thread can be reused as soon as the thread has ended. So nothing
// that is learned here counts until the caller has confirmed, after everything
// was opened and read, that the notification is still valid. No function here
// may change the target, or make a call in its place that it could not have made
// itself.
package target
