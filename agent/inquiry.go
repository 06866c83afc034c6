package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

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
	if question.Killed != "" {
		l.log.WithField("container", question.Container).WithField("pid", question.Pid).
			WithField("reason", question.Killed).
			Error("the guard killed the container, which would not be held to its ports")
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

// attached reports whether the process with this pid has loaded a filter for the container,
// and sent its notify fd. The bundle is not compared: runtimes name it in one way to their
// hooks, and in another to the agent.
func (s *Supervisor) attached(id string, pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		if sess.key.id == id && sess.pid == pid {
			return true
		}
	}
	return false
}
