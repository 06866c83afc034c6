// Package agent is the engine: it takes seccomp notify fds, with the state of
// the container each belongs to, and binds on behalf of their processes what
// the policy allows.
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

	_ "github.com/port-restricter/port-restricter/agent/sysmon" // for the sake of binds under way
	"github.com/port-restricter/port-restricter/config"
)

const (
	// workerLimit bounds the OS threads: with inFlightLimit it takes 512
	// containers that all block every call they can to reach it. (What can
	// outlive a container: docs/security.md, what can't be closed.)
	workerLimit = 512 * inFlightLimit

	// closeGrace is how long Close waits for calls in flight. A target can
	// block its own for ever.
	closeGrace = 5 * time.Second
)

// A PolicyFunc finds what a container may bind.
type PolicyFunc func(*specs.ContainerProcessState) (config.Policy, error)

// An Engine serves any number of sessions with few OS threads: all idle
// sessions stand in one epoll set, on which a few worker threads wait. One that
// takes a notification leaves the wait to another, and stays with the session
// while it is active; a call that blocks holds up nobody else.
type Engine struct {
	log    *logrus.Logger
	policy PolicyFunc
	limits limits
	trim   *time.Timer
	epoll  int
	stop   int // eventfd, readable once the engine closes
	timer  int // timerfd, on which the watch wakes

	workerCount atomic.Int32
	waiting     atomic.Int32 // workers that stand in the epoll wait
	busy        atomic.Int32 // workers that are the receiver of a session
	watched     atomic.Bool  // the timer is set
	fresh       atomic.Bool  // a worker became busy since the watch last looked
	closed      atomic.Bool
	running     sync.WaitGroup

	mu         sync.Mutex
	watchAfter time.Duration // from one look to the next
	workers    map[*worker]struct{}
	sessions   map[int32]*session   // by notify fd
	containers map[string]*inFlight // by container id
}

// NewEngine starts an engine. It fails on a kernel that can't do what it needs,
// naming what is missing and the version that has it.
func NewEngine(log *logrus.Logger, policy PolicyFunc) (*Engine, error) {
	if err := CheckKernel(); err != nil {
		return nil, err
	}
	if err := checkProc(); err != nil {
		return nil, err
	}
	// Its memory decides what may be bound: no process of the same user may
	// trace it, not even one that it serves.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("protect the engine's memory from other processes of its user: %w", err)
	}
	reserveLowFDs()
	makeRoom()
	limits, err := newLimits()
	if err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create an epoll set: %w", err)
	}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("create an eventfd: %w", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
	if err != nil {
		unix.Close(epoll)
		unix.Close(stop)
		return nil, fmt.Errorf("create a timerfd: %w", err)
	}
	e := &Engine{
		log: log, policy: policy, limits: limits, trim: time.AfterFunc(idleAfter, trimThreads), epoll: epoll, stop: stop, timer: timer,
		workers: make(map[*worker]struct{}), sessions: make(map[int32]*session), containers: make(map[string]*inFlight),
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, stop, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(stop)}); err != nil {
		return nil, fmt.Errorf("watch for the end: %w", err)
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, timer, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(timer)}); err != nil {
		return nil, fmt.Errorf("watch the timer: %w", err)
	}
	started := make(chan error)
	e.startWorker(started)
	return e, <-started
}

// Attach begins to serve a container's notify fd, which it owns from here on,
// also when it fails. A container without a valid policy is served all the
// same: no internet bind of its succeeds, and the log says why.
func (e *Engine) Attach(state *specs.ContainerProcessState, fd int) error {
	e.limits.attaching <- struct{}{}
	defer func() { <-e.limits.attaching }()
	if err := e.limits.room(fd); err != nil {
		unix.Close(fd)
		return fmt.Errorf("container %q: %w", state.State.ID, err)
	}
	policy, err := e.policy(state)
	log := e.log.WithField("container", state.State.ID)
	if err != nil {
		log.WithField("reason", err.Error()).Warn("every bind will be refused")
		policy = config.Denied(err.Error())
	}
	s, err := newSession(fd, state.State.ID, policy, e.log)
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("container %q: %w", state.State.ID, err)
	}
	if err := e.add(s); err != nil {
		s.hangUp()
		return fmt.Errorf("container %q: %w", state.State.ID, err)
	}
	log.WithFields(logrus.Fields{"pid": state.Pid, "policy": policy.String()}).Info("attached")
	e.trim.Reset(idleAfter)
	if err := e.arm(fd, unix.EPOLL_CTL_ADD, unix.EPOLLIN); err != nil {
		err = fmt.Errorf("watch the seccomp fd: %w", err)
		e.detach(s, err)
		return fmt.Errorf("container %q: %w", state.State.ID, err)
	}
	return nil
}

// arm wakes one worker for the session: RECV blocks when another was faster, so
// there must be one receiver at a time. The session's end (EPOLLHUP) needs no
// asking for.
func (e *Engine) arm(fd, op int, events uint32) error {
	// unix.EpollCtl tells nothing to the Go scheduler, and the kernel waits for
	// the notify fd's lock, whose holder a container can have throttled.
	event := unix.EpollEvent{Events: events | unix.EPOLLONESHOT, Fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_EPOLL_CTL, uintptr(e.epoll), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func (e *Engine) sessionOf(fd int32) *session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sessions[fd]
}

func (e *Engine) add(s *session) error {
	s.arm = func(events uint32) {
		if err := e.arm(s.notifyFD, unix.EPOLL_CTL_MOD, events); err != nil {
			go e.detach(s, err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		return errors.New("the agent is shutting down")
	}
	e.sessions[int32(s.notifyFD)] = s
	if e.containers[s.container] == nil {
		e.containers[s.container] = new(inFlight)
	}
	s.calls = e.containers[s.container]
	s.calls.sessions++
	return nil
}

// detach ends a session; err is nil when its last process is gone.
func (e *Engine) detach(s *session, err error) {
	e.mu.Lock()
	attached := e.sessions[int32(s.notifyFD)] == s
	if attached {
		delete(e.sessions, int32(s.notifyFD))
		s.calls.sessions--
	}
	e.mu.Unlock()
	if !attached {
		return
	}
	log := e.log.WithField("container", s.container)
	if err != nil {
		log.WithError(err).Error("the session broke: every bind of its processes fails from now on")
	} else {
		log.Info("detached: its last process ended")
	}
	s.hangUp()
	e.sweep(s, watchFirst)
}

// Close takes no more notifications, finishes those in flight, and closes every
// notify fd: from then on the kernel answers binds with ENOSYS.
func (e *Engine) Close() {
	e.mu.Lock() // no session begins behind our back
	e.closed.Store(true)
	e.mu.Unlock()
	e.trim.Stop()
	_, _ = unix.Write(e.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	finished := make(chan struct{})
	go func() { e.running.Wait(); close(finished) }()
	for grace := time.After(closeGrace); finished != nil; {
		e.recall(nil)
		select {
		case <-finished:
			finished = nil
		case <-grace:
			e.log.Warn("closing with calls in flight, which their processes block")
			finished = nil
		case <-time.After(watchFirst):
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.sessions {
		s.hangUp()
	}
}
