// Package filter makes the seccomp filter that sends the binds of a process to the
// supervisor: alone, or merged into a profile that exists already (the base).
//
// The plan methods of Merge are the only definition of which calls notify and which
// are refused; Profile is a merge into a profile that allows everything. Every way of
// injecting the filter uses Profile or Merge. Compile turns a profile into the program
// that the kernel runs, for the command line, where no OCI runtime does that. All of
// them depend on libseccomp, and on how libseccomp combines several rules for one
// system call.
//
// # What the filter does
//
//   - bind(2) notifies, unless the address is shorter than that of any internet
//     socket.
//   - listen(2) notifies: it binds a port of the kernel's choice if the socket is not
//     bound yet.
//   - setsockopt(2) fails with EPERM for the options that choose a port.
//   - socketcall(2) notifies for bind, listen and setsockopt. Their arguments are
//     behind a pointer, which a filter can't follow.
//   - seccomp(2) fails with EBUSY if it asks for a listener, which could answer a bind
//     instead of the supervisor.
//   - The three calls of io_uring(7) fail with ENOSYS: no seccomp filter sees what a
//     program does by io_uring.
//
// # How a merge works
//
// A merge keeps two promises. What the base refuses stays refused. No call that binds
// a port gets past the supervisor. A base for which these can't both be kept is an
// error. Whatever else the base allows stays allowed.
//
// The merge looks at the calls above only. For each of them it reads from the base
// whether the call is permitted or refused: by default, by a rule without conditions,
// or by rules with conditions. Then the merge
//
//   - adds the rules of the filter, as far as the base lets the call through. A call
//     that the base refuses needs none;
//   - takes the call out of the base's rules that permit it, since libseccomp lets a
//     rule without conditions swallow those with conditions. Where a part of the call
//     stays permitted, as binds of short addresses do, the merge adds a rule that permits
//     only that part. Rules of the base that refuse are never touched;
//   - turns the base's permissions into notifications with the same conditions, if the
//     base permits bind or listen only under conditions;
//   - fails if conditions of the base can't be combined with those of the filter:
//     libseccomp ORs the rules of one call, and gives no order to two rules that both
//     match. But where all these conditions permit or notify bind or listen, the merge
//     makes every use of that call notify instead.
//
// The added rules come first, for two reasons. Of two conditions that libseccomp ranks
// alike, it tests the first one first. And it accepts a wider rule only before a
// narrower one with another action.
//
// A second merge changes nothing. So a profile contains the filter if merging it again
// makes no difference.
package filter
