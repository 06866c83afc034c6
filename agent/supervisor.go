package agent

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/internal/fault"
	"github.com/port-restricter/port-restricter/agent/sandbox"
	"github.com/port-restricter/port-restricter/agent/sysmon"
	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

// workerLimit bounds the OS threads. Because of inFlightLimit it is reached only
// if 512 containers block as many calls as each can. docs/security.md, "What can't
// be closed", says which threads can outlive their container.
const workerLimit = 512 * inFlightLimit

// A Supervisor serves any number of sessions with few OS threads. All idle
// sessions are in one epoll set, on which a few worker threads wait. A worker that
// takes a notification leaves the wait to another one and stays with the session
// while it is active, so a call that blocks holds up nobody else.
type Supervisor struct {
	log    *logrus.Logger
	policy atomic.Pointer[PolicyFunc]
	limits limits
	memory *handover.Memory
	keeper *keeper
	silent []*silent   // of the agent before
	trim   *time.Timer // ends threads once no container has been attached for a while
	epoll  int
	stop   int // an eventfd, readable once the supervisor closes
	timer  int // a timerfd that wakes the watch

	workerCount atomic.Int32
	waiting     atomic.Int32 // workers in epoll_wait
	busy        atomic.Int32 // workers that are the receiver of a session
	watched     atomic.Bool  // the timer is set
	fresh       atomic.Bool  // a worker became busy since the last watch
	closed      atomic.Bool
	succeeded   func() bool // that of containers
	running     sync.WaitGroup

	// Locks are taken in the order Supervisor.mu, session.mu, inFlight.mu, and after these
	// those of orphans, boundSockets and keeper, and last that of the memory.
	mu          sync.Mutex
	watchAfter  time.Duration // from one watch to the next
	workers     map[*worker]struct{}
	sessions    map[int32]*session // by notify fd
	containers  map[containerKey]*container
	ids         map[uint32]*session // by id
	stats       stats
	subscribers subscribers
	raise       sync.Once
	lastID      uint32 // of a session
	lastNumber  uint32 // of a container
}

// NewSupervisor starts a supervisor. It fails on a kernel that lacks what it
// needs, and names what is missing and the version that has it.
//
// It changes the process until the process ends: the process becomes undumpable,
// and GOMAXPROCS grows by the number of workers that may wait in the kernel. A process has one
// supervisor.
func NewSupervisor(log *logrus.Logger, policy PolicyFunc) (*Supervisor, error) {
	memory, err := handover.NewPrivate()
	if err != nil {
		return nil, err
	}
	return newSupervisor(log, policy, memory)
}

func newSupervisor(
	log *logrus.Logger, policy PolicyFunc, memory *handover.Memory,
) (*Supervisor, error) {
	if err := sandbox.Check(); err != nil {
		return nil, err
	}
	if err := target.CheckProc(); err != nil {
		return nil, err
	}
	limits, err := newLimits()
	if err != nil {
		return nil, err
	}
	// The memory of this process decides what may be bound: no process of the same
	// user may trace it, not even one that it serves.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, fmt.Errorf(
			"protect the supervisor's memory from other processes of its user: %w", err)
	}
	sysmon.WaitForThreads()
	raiseMaxProcs(1) // all that a command needs: more would take a tenth of its start
	s := &Supervisor{
		log: log, limits: limits, memory: memory, epoll: -1, stop: -1, timer: -1,
		workers:    make(map[*worker]struct{}),
		sessions:   make(map[int32]*session),
		containers: make(map[containerKey]*container),
		ids:        make(map[uint32]*session),
	}
	s.policy.Store(&policy)
	s.succeeded = sync.OnceValue(s.isSucceeded)
	if err := s.openFDs(); err != nil {
		s.closeFDs()
		return nil, err
	}
	started := make(chan error)
	s.startWorker(started)
	if err := <-started; err != nil {
		s.running.Wait()
		s.closeFDs()
		return nil, err
	}
	s.trim = time.AfterFunc(idleAfter, trimThreads)
	return s, nil
}

// openFDs makes the epoll set with the two fds by which workers are woken. What
// was opened before an error stays in s.
func (s *Supervisor) openFDs() (err error) {
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create an epoll set: %w", err)
	}
	if s.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("create an eventfd: %w", err)
	}
	if s.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC); err != nil {
		return fmt.Errorf("create a timerfd: %w", err)
	}
	wakers := map[int]uint32{s.stop: unix.EPOLLIN, s.timer: unix.EPOLLIN | unix.EPOLLET}
	for fd, events := range wakers {
		event := unix.EpollEvent{Events: events, Fd: int32(fd)}
		if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return fmt.Errorf("add to the epoll set: %w", err)
		}
	}
	return nil
}

func (s *Supervisor) closeFDs() {
	for _, fd := range []int{s.epoll, s.stop, s.timer} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// Attach starts to serve a container's notify fd. From then on the fd belongs to the
// supervisor, even if Attach fails. A container without a valid policy is served too:
// all its internet binds will fail, and the log says why.
//
// inherited are sockets that the container's processes were given at their start, as
// fds of this process. They count as bound where they are, as if a process of the
// container had bound them. No process of the container may run before Attach returns,
// or it could give itself such a socket.
func (s *Supervisor) Attach(state *specs.ContainerProcessState, fd int, inherited ...int) error {
	if err := s.attach(state, fd, inherited); err != nil {
		return fmt.Errorf("%w %q: %w", errSession, state.State.ID, err)
	}
	return nil
}

var errSession = errors.New("container")

func (s *Supervisor) attach(state *specs.ContainerProcessState, fd int, inherited []int) error {
	s.limits.attaching <- struct{}{}
	defer func() { <-s.limits.attaching }()
	if err := s.limits.checkRoom(fd); err != nil {
		unix.Close(fd)
		return err
	}
	fault.At("attaching", 0)
	used := s.policy.Load()
	policy, err := s.policyBy(used, state)
	log := s.log.WithField("container", state.State.ID)
	level := logrus.WarnLevel
	if state.State.Status == specs.StateRunning {
		level = logrus.DebugLevel // said when the container started; probes exec without end
	}
	if err != nil {
		s.stats.attachFailed(failedPolicy)
		policy = refuseAll(log, level, err)
	}
	for _, reason := range policy.Ignored() {
		log.WithField("reason", inquiry.Printable(reason)).Log(level, "annotation ignored")
	}
	notifier, err := newNotifyFD(fd)
	if err != nil {
		unix.Close(fd)
		return err
	}
	sess := newSession(notifier, handover.Record{
		Container: state.State.ID, Bundle: state.State.Bundle,
		Pid: state.Pid, Home: target.Home(state.State.Pid),
		Exec:        state.State.Status == specs.StateRunning, // otherwise it is being created
		Annotations: config.Relevant(state.State.Annotations), Metadata: state.Metadata,
		Since: time.Now().UnixNano(),
	}, policy, s.log)
	if err := s.add(sess); err != nil {
		sess.hangUp()
		return err
	}
	if s.policy.Load() != used { // SetPolicy may not have seen the session
		s.renew(sess)
	}
	for _, socket := range inherited {
		sess.container.bound.rememberInherited(socket)
	}
	s.keep(sess)
	fault.At("attached", 0)
	log = log.WithField("policy", inquiry.Printable(sess.policy.Load().String()))
	if state.Pid != 0 { // crun tells no pid of an exec'd process
		log = log.WithField("pid", state.Pid)
	}
	if sess.record.Exec {
		log.Debug("attached another process of the container (exec)")
	} else {
		log.Info("attached")
	}
	s.trim.Reset(idleAfter)
	if err := s.arm(fd, unix.EPOLL_CTL_ADD, unix.EPOLLIN); err != nil {
		err = fmt.Errorf("watch the seccomp fd: %w", err)
		s.detach(sess, err)
		return err
	}
	return nil
}

// arm makes the kernel wake one worker for the session's next event. There must be
// one receiver at a time: SECCOMP_IOCTL_NOTIF_RECV blocks if another one was faster.
// The end of the session (EPOLLHUP) is reported whatever the events.
func (s *Supervisor) arm(fd, op int, events uint32) error {
	// Not unix.EpollCtl, of which the Go scheduler does not know: the kernel waits
	// for the notify fd's lock here, and a container can have its holder throttled.
	event := unix.EpollEvent{
		Events: events | unix.EPOLLONESHOT, Fd: int32(fd), Pad: int32(events), // for watchOn
	}
	_, _, errno := unix.Syscall6(unix.SYS_EPOLL_CTL, uintptr(s.epoll), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&event)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func (s *Supervisor) sessionOf(fd int32) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[fd]
}

func (s *Supervisor) add(sess *session) error {
	sess.arm = func(events uint32) {
		if err := s.arm(sess.notifyFD, unix.EPOLL_CTL_MOD, events); err != nil {
			go s.detach(sess, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return errors.New("the agent is shutting down")
	}
	if sess.id == 0 {
		sess.id = s.freeID()
	}
	s.sessions[int32(sess.notifyFD)], s.ids[sess.id] = sess, sess
	if len(s.sessions) > 1 {
		s.raise.Do(func() { raiseMaxProcs(hotLimit) })
	}
	if s.containers[sess.key] == nil {
		s.containers[sess.key] = s.newContainer(sess)
	}
	sess.orphans.memory, sess.orphans.session = s.memory, sess.id
	sess.container = s.containers[sess.key]
	sess.record.Number = sess.container.number
	a := sess.audit
	a.refusals, a.tally = sess.container.refusals, s.stats.tallyOf(a.who.Namespace)
	a.stats, a.subscribers = &s.stats, &s.subscribers
	sess.container.sessions++
	sess.container.started = sess.container.started || !sess.record.Exec
	return nil
}

// newContainer returns the container of its first session, with a number of its own unless the
// session has one already. s.mu is held.
func (s *Supervisor) newContainer(first *session) *container {
	c := &container{number: first.record.Number, refusals: first.audit.refusals}
	if c.number == 0 {
		s.lastNumber++
		c.number = s.lastNumber
	}
	c.bound.kept = s.memory.NewSockets(c.number)
	c.succeeded, c.hasNeighbours = s.succeeded, s.hasNeighbours
	return c
}

// hasNeighbours reports whether the supervisor serves several containers. One that closes waits for
// the calls that it has in hand, and so does not delay them.
func (s *Supervisor) hasNeighbours() bool {
	if s.closed.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.containers) > 1
}

// passCounts adds the counts of a session that has ended to another one of its container. s.mu
// is held.
func (s *Supervisor) passCounts(ended *session) {
	for _, sess := range s.sessions {
		if sess.container == ended.container {
			sess.audit.counters.Add(ended.audit.counters)
			return
		}
	}
}

// detach ends a session. err is nil if its last process has ended.
func (s *Supervisor) detach(sess *session, err error) {
	s.mu.Lock()
	attached := s.sessions[int32(sess.notifyFD)] == sess
	if attached {
		delete(s.sessions, int32(sess.notifyFD))
		delete(s.ids, sess.id)
		sess.container.sessions--
		s.passCounts(sess)
	}
	// An exec of crun does not tell the container's bundle, and has another key.
	ended := sess.container.started && sess.container.sessions == 0
	s.mu.Unlock()
	if !attached {
		return
	}
	s.letGo(sess, err != nil)
	log := s.log.WithField("container", sess.key.id)
	switch {
	case err != nil:
		log.WithError(err).Error("the session broke: all binds of its processes will fail")
	case ended:
		log.Info("detached: the container's last process ended")
	default:
		log.Debug("detached some processes of the container, which ended; others may run on")
	}
	sess.hangUp()
	s.sweep(sess, watchFirst)
}
