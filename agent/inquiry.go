package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/port-restricter/port-restricter/config/inquiry"
)

// errInquiry means that a guard's question was not answered.
var errInquiry = errors.New("a guard's question")

// answer answers the guard's question in raw.
func (l *Listener) answer(conn *net.UnixConn, raw []byte, s *Supervisor) error {
	question, err := inquiry.Decode(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", errInquiry, err)
	}
	if question.Refused != "" {
		l.logRefusal(question)
	}
	attached := s.attached(question.Container, question.Pid)
	text, err := json.Marshal(inquiry.Answer{Attached: attached})
	if err == nil {
		err = conn.SetWriteDeadline(time.Now().Add(receiveLimit))
	}
	if err == nil {
		_, err = conn.Write(text)
	}
	if err != nil {
		return fmt.Errorf("%w about container %q: %w", errInquiry, question.Container, err)
	}
	return nil
}

// logRefusal logs why a container was refused. Some engines drop what their hooks write, and
// then the user who started the container reads it here.
func (l *Listener) logRefusal(q inquiry.Question) {
	if !l.refusals.Allow() {
		l.skipped.Add(1)
		return
	}
	log := l.log.WithFields(logrus.Fields{
		"container": inquiry.Printable(q.Container), "by": inquiry.Printable(q.By),
		"reason": inquiry.Printable(q.Refused),
	})
	if skipped := l.skipped.Swap(0); skipped > 0 {
		log = log.WithField("skipped", skipped)
	}
	if q.Pid > 0 {
		log.WithField("pid", q.Pid).
			Error("the guard killed the container, which would not be held to its ports")
	} else {
		log.Error("a container was refused, and does not start")
	}
}

// attached reports whether the process with this pid has loaded a filter for the container,
// and sent its notify fd. The bundle is not compared: runtimes name it in one way to their
// hooks, and in another to the agent.
func (s *Supervisor) attached(id string, pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		if sess.key.id == id && sess.record.Pid == pid {
			return true
		}
	}
	return false
}
