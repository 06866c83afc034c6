package agent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fdstore"
	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// NewSuccessor starts a supervisor that takes over the sessions of the agent before it, and
// leaves its own to the next one. stored are the fds that the agent before has stored at the
// manager. The sessions are served once Resume is called.
func NewSuccessor(
	log *logrus.Logger, policy PolicyFunc, manager *fdstore.Manager, stored []fdstore.FD,
) (*Supervisor, error) {
	memory, rest, err := openMemory(log, manager, stored)
	if err != nil {
		return nil, err
	}
	s, err := newSupervisor(log, policy, memory)
	if err != nil {
		return nil, err
	}
	s.keeper = newKeeper(s, manager)
	s.takeOver(s.takeSilent(rest))
	return s, nil
}

// openMemory returns the memory of the agent before, or a new one, and the other fds.
func openMemory(log *logrus.Logger, manager *fdstore.Manager, stored []fdstore.FD) (
	memory *handover.Memory, rest []fdstore.FD, err error,
) {
	kept := false
	for _, fd := range stored {
		if fd.Name != memoryName {
			rest = append(rest, fd)
			continue
		}
		err := errors.New("there are two")
		if memory == nil {
			memory, err = handover.Open(fd.FD)
		}
		kept = err == nil
		if err != nil {
			unix.Close(fd.FD)
			log.WithError(err).Error("a memory of the agent before can't be read: " +
				"the containers that it has may bind nothing any more")
		}
	}
	if kept {
		return memory, rest, nil
	}
	if memory == nil {
		if memory, err = handover.New(); err != nil {
			return nil, nil, err
		}
	}
	// In place of what is not used.
	return memory, rest, errors.Join(
		manager.Drop(memoryName), manager.Keep(memoryName, memory.FD()))
}

// takeOver makes sessions of the stored notify fds.
func (s *Supervisor) takeOver(stored []fdstore.FD) {
	found, damaged := s.memory.Found()
	for _, id := range damaged {
		s.log.WithField("session", nameOf(id)).Error("a record of the agent before is damaged")
	}
	records := map[uint32]handover.Kept{}
	for _, kept := range found {
		records[kept.Session] = kept
		if record, err := kept.Record(); err == nil {
			s.lastNumber = max(s.lastNumber, record.Number)
		}
	}
	for _, fd := range stored {
		if id, err := strconv.ParseUint(fd.Name, idBase, 32); err == nil && id < idLimit {
			s.lastID = max(s.lastID, uint32(id))
		}
	}
	for _, fd := range stored {
		sess, err := s.adopt(fd, records)
		if errors.Is(err, errEnded) {
			unix.Close(fd.FD)
			continue
		}
		if err != nil {
			unix.Close(fd.FD)
			s.log.WithField("fd", fd.Name).WithError(err).Error("a stored fd is not served")
			continue
		}
		delete(records, sess.id)
	}
	for _, kept := range records {
		kept.Forget() // its session has ended
	}
	s.restoreSockets()
}

// errEnded means that no process is left that could notify.
var errEnded = errors.New("its last process has ended")

// adopt makes a session of a stored notify fd.
func (s *Supervisor) adopt(fd fdstore.FD, records map[uint32]handover.Kept) (*session, error) {
	if _, err := newNotifyFD(fd.FD); err != nil {
		return nil, err
	}
	poll := []unix.PollFd{{Fd: int32(fd.FD)}}
	if n, err := unix.Poll(poll, 0); err == nil && n == 1 && poll[0].Revents&unix.POLLHUP != 0 {
		return nil, errEnded
	}
	var policy config.Policy
	id, kept, record, err := s.recordOf(fd.Name, records)
	if err == nil {
		policy, err = s.policy(stateOf(record))
	} else {
		record = handover.Record{Container: "unknown", Bundle: "session " + fd.Name}
	}
	if err != nil {
		s.log.WithFields(logrus.Fields{
			"container": record.Container, "fd": fd.Name, "reason": err.Error(),
		}).Error("every bind will be refused")
		policy = config.DenyAll(err.Error())
	}
	key := containerKey{record.Container, record.Bundle}
	sess, err := newSession(fd.FD, key, policy, s.log)
	if err != nil {
		return nil, err
	}
	sess.id, sess.kept = id, kept
	sess.pid, sess.home, sess.exec = record.Pid, record.Home, record.Exec
	if s.containers[key] == nil && record.Number != 0 {
		s.containers[key] = &container{number: record.Number}
		s.containers[key].bound.kept = s.memory.NewSockets(record.Number)
	}
	if err := s.add(sess); err != nil {
		return nil, err
	}
	s.keeper.kept[sess.id] = true
	return sess, nil
}

// recordOf returns the record of the session whose notify fd has a name. If there is an error,
// id is the session's id, or 0 if it must get another one.
func (s *Supervisor) recordOf(name string, records map[uint32]handover.Kept) (
	id uint32, kept handover.Kept, record handover.Record, err error,
) {
	number, err := strconv.ParseUint(name, idBase, 32)
	if err != nil || number == 0 || number >= idLimit {
		return 0, kept, record, fmt.Errorf("it is named %q, which is no name of a session", name)
	}
	id = uint32(number)
	if s.ids[id] != nil {
		return 0, kept, record, fmt.Errorf("another fd is named %q, too", name)
	}
	kept, known := records[id]
	if !known {
		return id, kept, record, errors.New("the agent before left no record of it")
	}
	record, err = kept.Record()
	return id, kept, record, err
}

// stateOf returns the state from which a record was made, as far as a policy depends on it.
func stateOf(r handover.Record) *specs.ContainerProcessState {
	return &specs.ContainerProcessState{
		Pid: r.Pid, Metadata: r.Metadata,
		State: specs.State{ID: r.Container, Bundle: r.Bundle, Annotations: r.Annotations},
	}
}

// restoreSockets takes over where the sockets of containers are bound.
func (s *Supervisor) restoreSockets() {
	containers, numbers := map[uint32]*container{}, map[uint32]bool{}
	for _, c := range s.containers {
		containers[c.number], numbers[c.number] = c, true
	}
	all, found, damaged := s.memory.FoundSockets(numbers)
	if damaged > 0 {
		s.log.WithField("sockets", damaged).
			Error("records of the agent before are damaged: to listen on them will be refused")
	}
	for number, sockets := range all {
		containers[number].bound.restore(sockets, found[number])
	}
}

// resumeAlone is how long a notification that was in hand is served alone, and
// resumeTogether how long all of them are.
const resumeAlone, resumeTogether = 50 * time.Millisecond, time.Second

// Resume finishes what the agent before had in hand, and begins to serve the sessions.
//
// One of these notifications may be what ended the agent. So they are served one at a time, and
// one that was served alone when two agents ended is refused.
func (s *Supervisor) Resume() {
	began, left := time.Now(), s.stillWaiting()
	s.suspect(left)
	for _, l := range left {
		l.slot.Begin()
		done := make(chan struct{})
		s.running.Add(1)
		go func() {
			defer s.running.Done()
			defer close(done)
			s.finish(l.sess, l.slot)
		}()
		select {
		case <-done:
		case <-time.After(min(resumeAlone, resumeTogether-time.Since(began))):
			l.slot.InCompany() // its target blocks it
		}
	}
	s.mu.Lock()
	sessions := slices.Collect(maps.Values(s.sessions))
	s.mu.Unlock()
	for _, sess := range sessions {
		if err := s.arm(sess.notifyFD, unix.EPOLL_CTL_ADD, unix.EPOLLIN); err != nil {
			s.detach(sess, fmt.Errorf("watch the seccomp fd: %w", err))
		}
	}
	if len(sessions) > 0 {
		s.log.WithFields(logrus.Fields{"sessions": len(sessions), "in_hand": len(left)}).
			Info("took over from the agent before")
	}
}

// suspect records for which notifications the agent before may have ended.
func (s *Supervisor) suspect(left []inHand) {
	orderly, served := s.memory.Begin(), 0
	for _, l := range left {
		if touched, _ := l.slot.Touched(); touched {
			served++
		}
	}
	for _, l := range left {
		if touched, alone := l.slot.Touched(); touched && !orderly {
			l.slot.Suspect(alone || served == 1)
		}
		l.slot.Leave()
	}
}

// An inHand is a notification that the agent before had in hand, and whose target still waits.
type inHand struct {
	slot *handover.Slot
	sess *session
}

// stillWaiting returns what the agent before had in hand, unless its target does not wait any
// more. If the target was called away by a signal, it calls again.
func (s *Supervisor) stillWaiting() (left []inHand) {
	for _, slot := range s.memory.Left() {
		s.mu.Lock()
		sess := s.ids[slot.Session()]
		s.mu.Unlock()
		if sess == nil {
			s.memory.ReleaseSlot(slot)
			continue
		}
		waits := sess.notifier.valid(notificationIn(slot).ID)
		if cookie, inode, asked, ok := slot.Acted(); ok {
			bind := orphan{asked: string(asked), begun: true, inode: inode}
			sess.orphans.remember(cookie, bind)
		}
		if !waits {
			s.memory.ReleaseSlot(slot)
			continue
		}
		left = append(left, inHand{slot, sess})
	}
	return left
}

// finish serves a notification that the agent before had in hand.
func (s *Supervisor) finish(sess *session, slot *handover.Slot) {
	defer s.memory.ReleaseSlot(slot)
	if !sess.hold() {
		return
	}
	sess.container.calls.force()
	defer sess.leave()
	n := notificationIn(slot)
	if slot.Poisonous() {
		s.log.WithField("container", sess.key.id).WithField("pid", n.PID).
			Error("a call was refused: several agents ended while they served it")
		_ = sess.notifier.respond(&response{ID: n.ID, Error: -int32(unix.EPERM)})
		return
	}
	neutral, err := target.BecomeNeutral()
	if err != nil {
		s.log.WithError(err).Error("a worker thread can't be used")
		_ = sess.notifier.respond(&response{ID: n.ID, Error: -int32(unix.EPERM)})
		return
	}
	w := newWorker(s, slot, neutral)
	call := w.turn.begin()
	w.turn.pass(call) // it is not the session's receiver
	w.session.Store(sess)
	s.mu.Lock()
	s.workers[w] = struct{}{}
	s.mu.Unlock()
	sess.handle(n, &w.space)
	s.mu.Lock()
	delete(s.workers, w)
	s.mu.Unlock()
}
