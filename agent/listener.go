package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/port-restricter/port-restricter/config/inquiry"
)

// An engine can try to start a container as often as it likes, and must not fill the disk:
// startsBurst refused starts are logged, and then one in each startsInterval.
const startsBurst, startsInterval = 50, time.Minute

const (
	// receiveLimit bounds how long a client may take to send a container, once it began.
	receiveLimit = 10 * time.Second
	// stopLimit bounds the same once the agent is to stop.
	stopLimit = time.Second
)

// A Listener receives containers on the agent's socket, which is the listenerPath
// of OCI seccomp profiles.
type Listener struct {
	socket *net.UnixListener
	log    *logrus.Logger

	refusals *rate.Limiter
	skipped  atomic.Int64 // refusals that were not logged since the last one that was
}

// Listen creates the socket, accessible to its owner only. It replaces a socket on
// which nobody listens. It fails if a process listens, or if path is not a socket.
func Listen(path string, log *logrus.Logger) (*Listener, error) {
	socket, err := ListenUnix("agent socket", path)
	if err != nil {
		return nil, err
	}
	return newListener(socket, log), nil
}

func newListener(socket *net.UnixListener, log *logrus.Logger) *Listener {
	return &Listener{
		socket: socket, log: log,
		refusals: rate.NewLimiter(rate.Every(startsInterval), startsBurst),
	}
}

// ListenOn returns a listener for a socket that listens already, which the service manager made.
// The manager has its path. It takes over the fd.
func ListenOn(fd int, log *logrus.Logger) (*Listener, error) {
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	socket, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("listen on the socket of the service manager: %w", err)
	}
	unixSocket, ok := socket.(*net.UnixListener)
	if !ok {
		socket.Close()
		return nil, fmt.Errorf("the service manager gave a socket at %s, and no AF_UNIX socket: "+
			"set ListenStream= to a path in the socket unit", socket.Addr())
	}
	return newListener(unixSocket, log), nil
}

// Path returns where the socket is in the file system.
func (l *Listener) Path() string { return l.socket.Addr().String() }

// Close closes the socket and removes it from the file system.
func (l *Listener) Close() error { return l.socket.Close() }

// Serve attaches the containers that runtimes send, until ctx is done. Then it
// removes the socket and waits for the connections that are open.
func (l *Listener) Serve(ctx context.Context, s *Supervisor) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	for _, c := range s.silent {
		connections.Go(func() { l.converse(ctx, c) })
	}
	stop := context.AfterFunc(ctx, func() { l.Close() }) // removes the socket
	defer stop()
	for {
		conn, err := l.socket.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on the agent socket: %w", err)
		case err != nil:
			// Out of fds or memory, which passes. The agent goes on.
			l.log.WithError(err).Error("can't accept a connection")
			time.Sleep(100 * time.Millisecond)
			continue
		}
		connections.Go(func() { l.converse(ctx, newSilent(conn, s)) })
	}
}

// converse serves a connection.
func (l *Listener) converse(ctx context.Context, c *silent) {
	defer c.conn.Close()
	defer context.AfterFunc(ctx, c.stop)()
	err := l.receive(c)
	switch {
	case errors.Is(err, ErrNothingSent):
		l.log.WithError(err).Debug("a connection sent nothing")
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		l.log.WithError(err).Debug("a connection was left to the next agent, if there is one")
	case errors.Is(err, errInquiry):
		l.log.WithError(err).Error("a guard got no answer, and kills its container")
	case err != nil:
		c.s.stats.attachFailed(reasonOf(err))
		l.log.WithError(err).Error("a container was not attached: all its binds will fail")
	}
}

// reasonOf returns the reason by which a failure is counted.
func reasonOf(err error) string {
	if errors.Is(err, errSender) {
		return failedSender
	} else if errors.Is(err, errSession) {
		return failedSession
	}
	return failedMessage
}

var errSender = errors.New("only root and the agent's own user may send containers")

// receive attaches the container that a runtime sends, or answers a guard.
func (l *Listener) receive(c *silent) (err error) {
	defer catch(logrus.NewEntry(l.log), &err)
	defer c.hear()
	conn, s := c.conn, c.s
	if err := checkSender(conn); err != nil {
		return err
	}
	// No deadline before the first byte: crun connects when it creates a container, and sends
	// when the container is started, which an engine may do much later.
	r := &messageReader{conn: conn, limit: receiveLimit, heard: c.hear}
	defer r.close()
	raw, err := r.text()
	if err != nil {
		return err
	}
	if inquiry.Is(raw) {
		return l.answer(conn, raw, s)
	}
	state, fd, err := r.state(raw)
	if err != nil {
		return err
	}
	return s.Attach(state, fd)
}

// checkSender fails unless the client is root or the agent's own user. The sender
// of a container decides what its processes may bind.
func checkSender(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("ask who connected: %w", err)
	}
	var peer *unix.Ucred
	controlErr := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(controlErr, err); err != nil {
		return fmt.Errorf("ask who connected: %w", err)
	}
	if peer.Uid != 0 && peer.Uid != uint32(os.Geteuid()) {
		return fmt.Errorf("process %d of user %d connected, and the agent's user is %d: %w",
			peer.Pid, peer.Uid, os.Geteuid(), errSender)
	}
	return nil
}
