package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/settings"
)

// controlSockets are those on which an agent shows what it does. A socket that is not there is nil.
// The agent serves its containers without, too.
type controlSockets struct {
	control, events, metrics net.Listener

	server  *control.Server
	log     *logrus.Logger
	serving sync.WaitGroup
}

// openControl opens the sockets of the manager. Without a manager it makes the control socket
// beside the agent's socket.
func (s service) openControl(agentSocket string, log *logrus.Logger) *controlSockets {
	c, err := &controlSockets{log: log}, error(nil)
	switch {
	case s.control >= 0:
		c.control, err = listenerOf(s.control)
	case s.manager == nil && s.listener < 0:
		c.control, err = agent.ListenUnix("control socket", control.Path(agentSocket))
	}
	if err != nil {
		log.WithError(err).Error("no control socket: port-restricter status will not work")
	}
	if s.events >= 0 {
		if c.events, err = listenerOf(s.events); err != nil {
			log.WithError(err).Error("no socket for events")
		}
	}
	if s.metrics >= 0 {
		if c.metrics, err = listenerOf(s.metrics); err != nil {
			log.WithError(err).Error("no socket for metrics")
		}
	}
	return c
}

// listenerOf returns the listener of a socket of the manager. It takes over the fd.
func listenerOf(fd int) (net.Listener, error) {
	file := os.NewFile(uintptr(fd), "socket")
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("listen on a socket of the service manager: %w", err)
	}
	return listener, nil
}

// prepare makes the server, before the agent confines itself.
func (c *controlSockets) prepare(s *agent.Supervisor, rules config.Rules) (err error) {
	if c.server, err = control.NewServer(s, version, c.log); err != nil {
		return err
	}
	path, _ := settings.Path()
	c.server.HaveRules(path, rules)
	return nil
}

// serve begins to answer, until ctx is done.
func (c *controlSockets) serve(ctx context.Context, about control.Agent) {
	c.server.Describe(about)
	begin := func(l net.Listener, serve func(context.Context, net.Listener) error) {
		if l == nil {
			return
		}
		c.serving.Go(func() {
			if err := serve(ctx, l); err != nil {
				c.log.WithError(err).WithField("socket", l.Addr().String()).
					Error("a socket that shows what the agent does broke")
			}
		})
	}
	begin(c.control, c.server.ServeControl)
	begin(c.events, c.server.ServeEvents)
	begin(c.metrics, c.server.ServeMetrics)
}

// close closes the sockets, and waits until they are no longer served.
func (c *controlSockets) close() {
	for _, l := range []net.Listener{c.control, c.events, c.metrics} {
		if l != nil {
			l.Close()
		}
	}
	c.serving.Wait()
}
