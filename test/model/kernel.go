// Package model explores every interleaving of a small world in which the
// engine of package agent, the kernel and a hostile target take steps, and
// reports the shortest way to a state that breaks an invariant (check.go).
package model

// The callers: A is hostile. B gets A's thread id once A is dead and is in the
// same container. C is in another one.
const (
	A = iota
	B
	C
	callers
)

type address uint8 // what a sockaddr says

const (
	unset address = iota
	allowed
	alsoAllowed
	forbidden
	unspec // AF_UNSPEC, with the forbidden port
)

func (a address) permitted() bool { return a == allowed || a == alsoAllowed }

// The sockets: one internet socket each, and an AF_UNIX socket of A's.
const (
	unixOfA = callers
	sockets = callers + 1
)

type socket struct {
	at       address // unset: not bound
	credited bool    // its owner was told that the bind succeeded
}

func isUnix(s uint8) bool { return s == unixOfA }

func ownerOf(s uint8) uint8 {
	if isUnix(s) {
		return A
	}
	return s
}

// How the notification of a caller stands. One that was withdrawn has no state:
// its generation is over.
type waitState uint8

const (
	running  waitState = iota
	sent               // seccomp_do_user_notification waits, nobody has read it
	received           // SECCOMP_IOCTL_NOTIF_RECV has read it
)

type errno uint8

const (
	ok errno = iota
	eperm
	einval
	esrch
	withdrawn // errWithdrawn
	native    // errNative: SECCOMP_USER_NOTIF_FLAG_CONTINUE
)

type caller struct {
	alive      bool
	wait       waitState
	generation uint8 // which of its calls; with the caller, the notification's id
	callsLeft  uint8
	memory     address
	stuck      bool // the page of its sockaddr does not come (userfaultfd)
	fd         uint8
}

// A state is all there is at one moment; comparable, so that it can be a map's key.
type state struct {
	caller [callers]caller
	socket [sockets]socket
	job    [jobs]job
	orphan [sockets]address // agent's orphans.binds: cookie → sockaddr asked for
	kept   [jobs]uint8      // agent's threads: 1 + whose pidfd the worker kept
	dead   bool             // the agent

	// What the world is like, and how often each thing may still happen.
	waitKillable bool // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	shared       bool // another thread of A shares its file table
	lateSignals  bool // the kernel may take an answer while its thread turns to a signal
	signals      uint8
	rewrites     uint8
	swaps        uint8

	broken invariant // the invariant that the last step broke, where only the step shows it
}

func (s *state) breaks(v invariant) {
	if s.broken == all {
		s.broken = v
	}
}

// holder says who has the thread id of c now.
func (s *state) holder(c uint8) (uint8, bool) {
	if c == C {
		return C, s.caller[C].alive
	}
	if s.caller[A].alive {
		return A, true
	}
	return B, s.caller[B].alive
}

var kernelSteps = table(callers, map[string]func(*state, int) bool{
	"calls bind":                calls,
	"gets a signal, restarts":   restarted,
	"gets a signal, EINTR":      interrupted,
	"is killed":                 killed,
	"starts with A's thread id": reusesID,
})

// calls: a thread calls bind, the filter says NOTIFY. Without an agent the
// kernel answers ENOSYS at once and nothing changes.
func calls(s *state, i int) bool {
	c := &s.caller[i]
	if !c.alive || c.wait != running || c.callsLeft == 0 || s.dead {
		return false
	}
	c.callsLeft--
	c.wait = sent
	c.generation++
	return true
}

// restarted: the handler has SA_RESTART, the same call is made again under a new id.
func restarted(s *state, i int) bool {
	if !interrupted(s, i) {
		return false
	}
	s.caller[i].wait = sent
	s.caller[i].generation++
	return true
}

// interrupted: the notification is withdrawn, the caller gets EINTR.
func interrupted(s *state, i int) bool {
	c := &s.caller[i]
	if i != A || s.signals == 0 || c.wait == running || c.wait == received && s.waitKillable {
		return false
	}
	s.signals--
	c.wait = running
	return true
}

// killed: SIGKILL withdraws in every case. Only A is: B needs its id.
func killed(s *state, i int) bool {
	c := &s.caller[i]
	if i != A || !c.alive {
		return false
	}
	c.alive, c.wait = false, running
	return true
}

func reusesID(s *state, i int) bool {
	if i != B || s.caller[A].alive || s.caller[B].alive || s.caller[B].callsLeft == 0 {
		return false
	}
	s.caller[B].alive = true
	return true
}

// valid is SECCOMP_IOCTL_NOTIF_ID_VALID.
func (s *state) valid(j *job) bool {
	c := &s.caller[j.caller]
	return c.alive && c.wait == received && c.generation == j.generation
}

// bindSocket is what bind(2) does: an internet socket takes AF_UNSPEC as IPv4,
// a bound socket is not bound again.
func (s *state) bindSocket(number uint8, to address) errno {
	sock := &s.socket[number]
	if sock.at != unset {
		return einval
	}
	sock.at = to
	return ok
}

// respond is SECCOMP_IOCTL_NOTIF_SEND; false is ENOENT.
func (s *state) respond(j *job) bool {
	if !s.valid(j) {
		return false
	}
	c := &s.caller[j.caller]
	c.wait = running
	result := j.err
	if result == native { // with the memory and the fd as they are by now
		s.bindSocket(c.fd, c.memory)
		return true
	}
	if result == esrch {
		s.breaks(notGone)
	}
	if j.socket == none {
		return true
	}
	sock := &s.socket[j.socket]
	switch {
	case result == einval && sock.at == j.asked && !sock.credited:
		s.breaks(interruptedOnce)
	case result == ok && sock.at != j.asked:
		s.breaks(truthful)
	case result == ok:
		sock.credited = true
	}
	return true
}
