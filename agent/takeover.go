package agent

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fdstore"
	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/internal/fault"
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
	if wait := memory.Starting(time.Second); wait > 0 {
		log.Warn("the agent before ended before it was ready: wait, for one start a second")
		time.Sleep(wait)
	}
	fault.At("started", 0)
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
	left, fds := make([]leftRecord, len(found)), make([]leftFD, len(stored))
	inParallel(len(found), func(i int) { left[i] = s.readRecord(found[i]) })
	inParallel(len(stored), func(i int) { fds[i] = inspect(stored[i]) })

	records := make(map[uint32]*leftRecord, len(left))
	for i := range left {
		records[left[i].kept.Session] = &left[i]
		s.lastNumber = max(s.lastNumber, left[i].record.Number)
	}
	for _, fd := range fds {
		if id, err := strconv.ParseUint(fd.name, idBase, 32); err == nil && id < idLimit {
			s.lastID = max(s.lastID, uint32(id))
		}
	}
	for _, fd := range fds {
		sess, err := s.adopt(fd, records)
		if errors.Is(err, errEnded) {
			unix.Close(fd.number)
			continue
		}
		if err != nil {
			unix.Close(fd.number)
			s.log.WithField("fd", fd.name).WithError(err).Error("a stored fd is not served")
			continue
		}
		delete(records, sess.id)
	}
	for _, left := range records {
		left.kept.Forget() // its session has ended
	}
	s.restoreSockets()
}

// adopt makes a session of a stored notify fd.
func (s *Supervisor) adopt(fd leftFD, records map[uint32]*leftRecord) (*session, error) {
	if fd.err != nil {
		return nil, fd.err
	}
	id, left := s.recordOf(fd.name, records)
	record, policy := left.record, left.policy
	if left.err != nil {
		log := s.log.WithFields(logrus.Fields{"container": record.Container, "fd": fd.name})
		policy = refuseAll(log, logrus.ErrorLevel, left.err)
	}
	sess := newSession(fd.notifier, record, policy, s.log)
	sess.id, sess.kept = id, left.kept
	sess.unknown = left.unknown
	if left.kept.Counters != nil {
		sess.audit.counters = left.kept.Counters
	}
	if err := s.add(sess); err != nil {
		return nil, err
	}
	s.keeper.kept[sess.id] = true
	return sess, nil
}

// recordOf returns the record of the session whose notify fd has a name. If there is none,
// id is the session's id, or 0 if it must get another one.
func (s *Supervisor) recordOf(name string, records map[uint32]*leftRecord) (
	id uint32, left *leftRecord,
) {
	none := func(err error) *leftRecord {
		return &leftRecord{record: unknown(name), unknown: true, err: err}
	}
	number, err := strconv.ParseUint(name, idBase, 32)
	if err != nil || number == 0 || number >= idLimit {
		return 0, none(fmt.Errorf("it is named %q, which is no name of a session", name))
	}
	id = uint32(number)
	if s.ids[id] != nil {
		return 0, none(fmt.Errorf("another fd is named %q, too", name))
	}
	if known := records[id]; known != nil {
		return id, known
	}
	return id, none(errors.New("the agent before left no record of it"))
}

// restoreSockets takes over where the sockets of containers are bound.
func (s *Supervisor) restoreSockets() {
	containers, numbers := map[uint32]containerKey{}, map[uint32]bool{}
	for key, c := range s.containers {
		containers[c.number], numbers[c.number] = key, true
	}
	for number, sockets := range s.memory.FoundSockets(numbers) {
		key := containers[number]
		s.containers[key].bound.restore(sockets, s.log.WithField("container", key.id))
	}
}
