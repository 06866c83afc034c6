// Package model explores every interleaving of a small world in which the
// supervisor of package agent, the kernel and a hostile target take steps. It
// reports the shortest way to a state that breaks an invariant.
//
// kernel.go and listen.go have the state of the world and the kernel's steps, supervisor.go,
// act.go and successor.go the supervisor's, and attacker.go the attacker's. worlds.go says
// which worlds there are, and check.go has the invariants and the search. The steps follow
// package agent by hand: what is proved is proved of the model, not of the Go code.
package model

// The callers. A is hostile. B is in the same container and gets A's thread id
// once A is dead. C is in another container.
const (
	A = iota
	B
	C
	callers
)

// An address is what a sockaddr contains, as far as the policy distinguishes it.
type address uint8

const (
	unset address = iota
	allowed
	alsoAllowed
	forbidden
	unspec // AF_UNSPEC, with the forbidden port
)

func (a address) permitted() bool { return a == allowed || a == alsoAllowed }

// The sockets: each caller has one internet socket, whose number is the caller's,
// and A has an AF_UNIX socket as well.
const (
	unixOfA = callers
	sockets = callers + 1
)

type socket struct {
	at       address // unset: it has no port
	picked   bool    // the kernel picked the port for a connection, and takes it away again
	stale    bool    // it was taken away, but getsockname(2) still shows it: allowed
	listens  bool
	credited bool // its owner was told that the bind succeeded
	doubtful bool // an agent ended over another bind of it, or before it noted its answer
}

func isUnix(s uint8) bool { return s == unixOfA }

func ownerOf(s uint8) uint8 {
	if isUnix(s) {
		return A
	}
	return s
}

// A waitState is the state of a caller's notification. A withdrawn notification
// has no state of its own: its generation is over.
type waitState uint8

const (
	running  waitState = iota
	sent               // the caller waits in seccomp_do_user_notification; nobody has read it
	received           // SECCOMP_IOCTL_NOTIF_RECV has read it
)

// An errno is the result of a call, or of an attempt to answer it.
type errno uint8

const (
	ok errno = iota
	eperm
	einval
	esrch
	withdrawn // target.ErrWithdrawn
	native    // errNative: SECCOMP_USER_NOTIF_FLAG_CONTINUE
)

// A notification is the id of one, and which call it is about.
type notification struct {
	caller, generation uint8
	listen             bool // bind otherwise
}

type caller struct {
	alive      bool
	wait       waitState
	generation uint8 // counts its calls; see notification
	listen     bool  // it calls, or called last, listen instead of bind
	callsLeft  uint8
	memory     address // what its sockaddr contains
	stuck      bool    // the page of its sockaddr never comes (userfaultfd)
	fd         uint8   // the socket to which the fd that it binds refers
}

// A state is everything that there is at one moment. It is comparable, so that it
// can be the key of a map.
type state struct {
	caller  [callers]caller
	socket  [sockets]socket
	attempt [attempts]attempt
	kept    [attempts]uint8 // workspace.threads: 1 + the process whose pidfd the worker keeps
	phase   phase
	dead    bool // the last agent has crashed

	// What survives an agent.
	slot   [attempts]slot
	orphan [sockets]orphan  // orphans.binds, by cookie
	bound  [sockets]address // boundSockets, by cookie

	// What the world is like, and how often each thing may still happen.
	waitKillable bool // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	shared       bool // another thread of A shares its file table
	lateSignals  bool // the kernel may accept an answer while its thread turns to a signal
	signals      uint8
	rewrites     uint8
	swaps        uint8
	connects     uint8
	successors   uint8
	listening    bool // A calls listen, too
	poison       bool // C's call ends every agent that decides about it, and nothing else does

	broken invariant // set by the step that broke it, if the state alone does not show that
}

func (s *state) breaks(v invariant) {
	if s.broken == allHold {
		s.broken = v
	}
}

// holder returns the process that has the thread id of c now, and whether that
// process is alive.
func (s *state) holder(c uint8) (process uint8, alive bool) {
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
	"calls listen":              callsListen,
	"gets a signal, restarts":   restarted,
	"gets a signal, EINTR":      interrupted,
	"is killed":                 killed,
	"starts with A's thread id": reusesID,
})

// calls makes a thread call bind, of which the filter notifies. Without an agent
// the kernel answers ENOSYS immediately, and nothing changes.
func calls(s *state, i int) bool {
	c := &s.caller[i]
	if !c.alive || c.wait != running || c.callsLeft == 0 || s.dead {
		return false
	}
	c.callsLeft--
	c.wait = sent
	c.listen = false
	c.generation++
	return true
}

// restarted is a signal whose handler has SA_RESTART: the kernel makes the same
// call again, with a new notification id.
func restarted(s *state, i int) bool {
	if !interrupted(s, i) {
		return false
	}
	s.caller[i].wait = sent
	s.caller[i].generation++
	return true
}

// interrupted is a signal that withdraws the notification: the caller gets EINTR.
func interrupted(s *state, i int) bool {
	c := &s.caller[i]
	if i != A || s.signals == 0 || c.wait == running || c.wait == received && s.waitKillable {
		return false
	}
	s.signals--
	c.wait = running
	return true
}

// killed is SIGKILL, which withdraws the notification in every case. Only A can be
// killed, since B needs A's thread id.
func killed(s *state, i int) bool {
	c := &s.caller[i]
	if i != A || !c.alive {
		return false
	}
	c.alive, c.wait = false, running
	return true
}

// reusesID starts B with the thread id of A.
func reusesID(s *state, i int) bool {
	if i != B || s.caller[A].alive || s.caller[B].alive || s.caller[B].callsLeft == 0 {
		return false
	}
	s.caller[B].alive = true
	return true
}

// valid is SECCOMP_IOCTL_NOTIF_ID_VALID.
func (s *state) valid(n notification) bool {
	c := &s.caller[n.caller]
	return c.alive && c.wait == received && c.generation == n.generation
}

// bindSocket is bind(2). A bound socket is not bound again. An internet socket
// accepts AF_UNSPEC as IPv4.
func (s *state) bindSocket(number uint8, to address) errno {
	sock := &s.socket[number]
	if sock.at != unset {
		return einval
	}
	sock.at = to
	return ok
}

// respond is SECCOMP_IOCTL_NOTIF_SEND. It returns false for ENOENT.
func (s *state) respond(a *attempt) bool {
	if !s.valid(a.notification) {
		return false
	}
	c := &s.caller[a.caller]
	c.wait = running
	result := a.err
	if a.listen {
		s.listenAnswered(a)
		return true
	}
	if result == native { // with the memory and the fd as they are by now
		s.bindSocket(c.fd, c.memory)
		return true
	}
	if result == esrch {
		s.breaks(notGone)
	}
	if a.socket == none {
		return true
	}
	sock := &s.socket[a.socket]
	switch {
	case result == einval && sock.named() && sock.at == a.asked && !sock.credited:
		s.breaks(interruptedOnce)
	case result == ok && sock.at != a.asked && !sock.stale:
		s.breaks(truthful)
	case result == ok && sock.credited && !sock.doubtful:
		s.breaks(toldOnce)
	case result == ok:
		sock.credited, sock.doubtful = sock.named(), false
	}
	return true
}
