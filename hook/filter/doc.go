// Package filter makes the seccomp filter that sends the binds of a process to the
// supervisor: alone, or merged into a profile that is already there.
//
// Profile is the one definition of what notifies and what is refused; every way of
// injecting uses it, or Merge. Compile turns a profile into the program that the
// kernel runs, for the command line, which has no OCI runtime to do it. Both lean
// on libseccomp, and on how libseccomp combines several rules for one system call.
//
// What a base profile refuses must stay refused after a merge, and no call that
// binds a port may get past the supervisor. A profile for which that can't be
// promised is an error.
package filter
