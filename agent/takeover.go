package agent

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fdstore"
	"github.com/port-restricter/port-restricter/agent/handover"
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
	records := map[uint32]leftRecord{}
	for _, kept := range found {
		record, err := kept.Record()
		records[kept.Session] = leftRecord{kept, record, err}
		s.lastNumber = max(s.lastNumber, record.Number)
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
	for _, left := range records {
		left.kept.Forget() // its session has ended
	}
	s.restoreSockets()
}

// A leftRecord is a record of the agent before. err says why it can't be read.
type leftRecord struct {
	kept   handover.Kept
	record handover.Record
	err    error
}

// errEnded means that no process is left that could notify.
var errEnded = errors.New("its last process has ended")

// adopt makes a session of a stored notify fd.
func (s *Supervisor) adopt(fd fdstore.FD, records map[uint32]leftRecord) (*session, error) {
	if _, err := newNotifyFD(fd.FD); err != nil {
		return nil, err
	}
	poll := []unix.PollFd{{Fd: int32(fd.FD)}}
	if n, err := unix.Poll(poll, 0); err == nil && n == 1 && poll[0].Revents&unix.POLLHUP != 0 {
		return nil, errEnded
	}
	var policy config.Policy
	id, left := s.recordOf(fd.Name, records)
	record, err := left.record, left.err
	if err == nil {
		policy, err = s.policyOf(stateOf(record))
	} else {
		record = handover.Record{Container: "unknown", Bundle: "session " + fd.Name}
	}
	if err != nil {
		s.log.WithFields(logrus.Fields{
			"container": record.Container, "fd": fd.Name, "reason": err.Error(),
		}).Error("every bind will be refused")
		policy = config.DenyAll(err.Error())
	}
	sess, err := newSession(fd.FD, record, policy, s.log)
	if err != nil {
		return nil, err
	}
	sess.id, sess.kept = id, left.kept
	if left.kept.Counters != nil {
		sess.audit.counters = left.kept.Counters
	}
	if err := s.add(sess); err != nil {
		return nil, err
	}
	s.keeper.kept[sess.id] = true
	return sess, nil
}

// recordOf returns the record of the session whose notify fd has a name. If there is an error,
// id is the session's id, or 0 if it must get another one.
func (s *Supervisor) recordOf(name string, records map[uint32]leftRecord) (
	id uint32, left leftRecord,
) {
	number, err := strconv.ParseUint(name, idBase, 32)
	if err != nil || number == 0 || number >= idLimit {
		left.err = fmt.Errorf("it is named %q, which is no name of a session", name)
		return 0, left
	}
	id = uint32(number)
	if s.ids[id] != nil {
		left.err = fmt.Errorf("another fd is named %q, too", name)
		return 0, left
	}
	left, known := records[id]
	if !known {
		left.err = errors.New("the agent before left no record of it")
	}
	return id, left
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
