package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// DefaultSocket is where runtimes find the agent unless they are told otherwise.
const DefaultSocket = "/run/port-restricter/agent.sock"

const (
	// receiveLimit bounds how long a client may take to send its state.
	receiveLimit = 10 * time.Second
	// stopLimit bounds the same once the agent is to stop.
	stopLimit = time.Second
)

// A Listener is the agent's socket, the listenerPath of OCI seccomp profiles.
type Listener struct {
	*net.UnixListener
	path string
	log  *logrus.Logger
}

// Listen makes the socket, for its owner only. A socket on which somebody
// listens is an error, a dead one is replaced, anything else at that path is
// left alone.
func Listen(path string, log *logrus.Logger) (*Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the agent socket: %w", err)
	}
	// Two agents that start at once must not both find the socket dead and
	// remove each other's.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("lock the directory of the agent socket: %w", err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock the directory of the agent socket %s: %w", path, err)
	}
	if err := removeDead(path); err != nil {
		return nil, err
	}
	// The mode is there from the first moment on: bind(2) makes the socket
	// with what the umask leaves.
	before := unix.Umask(0o177)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(before)
	if err != nil {
		return nil, fmt.Errorf("listen on the agent socket: %w", err)
	}
	return &Listener{UnixListener: l, path: path, log: log}, nil
}

func removeDead(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the agent socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("agent socket %s: something that is no socket is there (%s): remove it, or choose another path with --socket", path, info.Mode())
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("agent socket %s: another agent listens on it: stop that one, or choose another path with --socket", path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("agent socket %s: find out whether somebody listens on it: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the dead agent socket: %w", err)
	}
	return nil
}

// Serve attaches what runtimes send, until ctx is done; then it removes the
// socket and waits for the connections that are under way.
func (l *Listener) Serve(ctx context.Context, e *Engine) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() }) // removes the socket
	defer stop()
	for {
		conn, err := l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on the agent socket: %w", err)
		case err != nil:
			// Out of fds or memory: that passes, and the agent stays.
			l.log.WithError(err).Error("a connection can't be accepted")
			time.Sleep(100 * time.Millisecond)
			continue
		}
		connections.Go(func() {
			defer conn.Close()
			// One that is sending at the end may finish; one that is
			// silent must not hold it up.
			stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now().Add(stopLimit)) })
			defer stop()
			if err := receiveAndAttach(conn, e); errors.Is(err, ErrNothingSent) {
				l.log.WithError(err).Debug("nothing attached")
			} else if err != nil {
				l.log.WithError(err).Error("a container was not attached: every bind of its fails")
			}
		})
	}
}

func receiveAndAttach(conn *net.UnixConn, e *Engine) error {
	if err := checkSender(conn); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(receiveLimit)); err != nil {
		return err
	}
	state, fd, err := Receive(conn)
	if err != nil {
		return err
	}
	return e.Attach(state, fd)
}

// checkSender lets root and the agent's own user send containers: who sends a
// state says what its processes may bind.
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
		return fmt.Errorf("process %d of user %d connected: only root and the agent's own user %d may send containers", peer.Pid, peer.Uid, os.Geteuid())
	}
	return nil
}
