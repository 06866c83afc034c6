package main

import (
	"fmt"
	"slices"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/fdstore"
)

// A service is what the service manager, systemd, gives to an agent that it starts.
type service struct {
	manager *fdstore.Manager // nil without a manager
	// Sockets that listen, or -1.
	listener, control, events, metrics int

	stored []fdstore.FD // what the agent before has stored
}

// newService takes what the manager gave to this process.
func newService() (s service, err error) {
	if s.manager, err = fdstore.Connect(); err != nil {
		return s, err
	}
	s.stored, err = fdstore.Inherited()
	if err != nil {
		return s, err
	}
	s.control, s.metrics = s.takeSocket(isNamed("control")), s.takeSocket(isNamed("metrics"))
	s.events = s.takeSocket(isNamed("events"))
	// That of a unit without FileDescriptorName= has the name of the unit.
	s.listener = s.takeSocket(func(string) bool { return true })
	return s, nil
}

func isNamed(want string) func(string) bool {
	return func(name string) bool { return name == want }
}

// takeSocket takes the first socket that listens and has such a name out of what is stored. It
// returns -1 if there is none.
func (s *service) takeSocket(isMeant func(name string) bool) int {
	at := slices.IndexFunc(s.stored, func(fd fdstore.FD) bool {
		listens, err := unix.GetsockoptInt(fd.FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		return err == nil && listens != 0 && isMeant(fd.Name)
	})
	if at < 0 {
		return -1
	}
	socket := s.stored[at].FD
	s.stored = slices.Delete(s.stored, at, at+1)
	return socket
}

// listen returns the agent's socket: the manager's, or a new one at path.
func (s service) listen(path string, log *logrus.Logger) (*agent.Listener, error) {
	if s.listener < 0 {
		return agent.Listen(path, log)
	}
	listener, err := agent.ListenOn(s.listener, log)
	if err == nil && listener.Path() != path {
		return nil, fmt.Errorf("the socket unit listens at %s, and containers are sent to %s: "+
			"set ListenStream=%s in port-restricter.socket, or listener = %q in config.toml",
			listener.Path(), path, path, listener.Path())
	}
	return listener, err
}

// supervisor returns the supervisor. It takes over the sessions of the agent before it, if the
// manager keeps them.
func (s service) supervisor(
	log *logrus.Logger, policy agent.PolicyFunc,
) (*agent.Supervisor, error) {
	if s.manager.Room() > 0 {
		return agent.NewSuccessor(log, policy, s.manager, s.stored)
	}
	log.Warn("a restart of this agent ends the binds of its containers: no service manager " +
		"keeps them; see docs/operate.md")
	for _, fd := range s.stored {
		log.WithField("fd", fd.Name).Error("a stored fd is not served: set FDSTORE= in the unit")
		unix.Close(fd.FD)
	}
	return agent.NewSupervisor(log, policy)
}
