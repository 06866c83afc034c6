package agent

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fdstore"
)

const (
	// silentPrefix begins the names, in the fd store, of connections on which nothing has come.
	silentPrefix = "+"

	// keepSilentAfter is how long a connection must be silent to be kept. runc sends at once.
	// crun connects when it creates a container, and sends when the container is started.
	keepSilentAfter = 100 * time.Millisecond
)

// A silent is a connection on which nothing has come yet.
type silent struct {
	conn *net.UnixConn
	s    *Supervisor

	mu    sync.Mutex
	timer *time.Timer
	name  string // in the fd store, or "" if it is not there
	heard bool
}

var lastSilent atomic.Uint32 // the number in the last name

// newSilent returns a connection that was accepted. If nothing comes for keepSilentAfter, the
// service manager keeps the connection: the container that was created by it can then be started
// under the next agent.
func newSilent(conn *net.UnixConn, s *Supervisor) *silent {
	c := &silent{conn: conn, s: s}
	if s.keeper != nil {
		c.timer = time.AfterFunc(keepSilentAfter, c.keep)
	}
	return c
}

func (c *silent) keep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.heard && c.name == "" {
		c.store()
	}
}

// store makes the manager keep the connection. c.mu is held.
func (c *silent) store() {
	c.name = silentPrefix + strconv.FormatUint(uint64(lastSilent.Add(1)), idBase)
	raw, err := c.conn.SyscallConn()
	if err == nil {
		controlErr := raw.Control(func(fd uintptr) {
			err = c.s.keeper.manager.Keep(c.name, int(fd))
		})
		err = errors.Join(err, controlErr)
	}
	if err != nil {
		c.name = ""
		c.s.log.WithError(err).Warn("a container that is being created would not survive " +
			"a restart of the agent")
	}
}

// hear records that something has come, or that the connection has ended.
func (c *silent) hear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = true
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.name != "" {
		name := c.name
		c.s.keeper.do(func() { _ = c.s.keeper.manager.Drop(name) })
		c.name = ""
	}
}

// stop bounds how long the agent, which is to stop, waits for the connection. A client that is
// sending may finish. One that is silent, or whose message nobody has read yet, is left to the
// next agent.
func (c *silent) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := stopLimit
	if !c.heard && c.s.keeper != nil && c.name == "" {
		c.store()
	}
	if !c.heard && c.name != "" {
		limit = 0
		c.name = "" // it stays in the store
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(limit))
}

// takeSilent takes over the connections that the agent before had kept. It returns the other
// fds.
func (s *Supervisor) takeSilent(stored []fdstore.FD) (rest []fdstore.FD) {
	for _, fd := range stored {
		domain, err := unix.GetsockoptInt(fd.FD, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil || domain != unix.AF_UNIX {
			rest = append(rest, fd)
			continue
		}
		file := os.NewFile(uintptr(fd.FD), fd.Name)
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			s.log.WithField("fd", fd.Name).WithError(err).Error("a stored fd is not served")
			continue
		}
		number, _ := strconv.ParseUint(strings.TrimPrefix(fd.Name, silentPrefix), idBase, 32)
		lastSilent.Store(max(lastSilent.Load(), uint32(number)))
		s.silent = append(s.silent, &silent{conn: conn.(*net.UnixConn), s: s, name: fd.Name})
	}
	return rest
}
