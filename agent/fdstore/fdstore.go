// Package fdstore speaks to the service manager that started this process: it says that the
// process is ready, and keeps file descriptors in the manager's fd store, from which the next
// process of the same unit gets them. See sd_notify(3) and FileDescriptorStoreMax= in
// systemd.service(5).
//
// go-systemd has functions for the states and for the fds that a process gets, but none that
// sends an fd, and it connects anew for each message, which the agent's own seccomp filter refuses.
package fdstore

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// A Manager is a connection to the service manager. A nil Manager is that of a process which no
// manager started: what it is told is not said to anybody.
type Manager struct {
	fd   int // of the connection; it blocks
	room int
}

// Connect connects to the service manager. It returns nil if there is none.
func Connect() (*Manager, error) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket for the service manager: %w", err)
	}
	// A name that begins with @ is an abstract one, here as in sd_notify(3).
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect to the service manager at %s: %w", path, err)
	}
	m := &Manager{fd: fd}
	m.room, _ = strconv.Atoi(os.Getenv("FDSTORE")) // set by systemd 254, and by our unit
	return m, nil
}

// Room returns how many fds the manager keeps: FileDescriptorStoreMax=. It is 0 if there is no
// fd store.
func (m *Manager) Room() int {
	if m == nil {
		return 0
	}
	return m.room
}

// FD returns the fd of the connection, or -1 if there is none. No other fd is written to.
func (m *Manager) FD() int {
	if m == nil {
		return -1
	}
	return m.fd
}

// Notify tells the manager a state, such as READY=1.
func (m *Manager) Notify(state string) error {
	if m == nil {
		return nil
	}
	return m.send(state)
}

// Keep makes the manager keep a duplicate of fd under a name.
func (m *Manager) Keep(name string, fd int) error {
	return m.send("FDSTORE=1\nFDNAME="+name, fd)
}

// Drop makes the manager close what it keeps under a name.
func (m *Manager) Drop(name string) error { return m.send("FDSTOREREMOVE=1\nFDNAME=" + name) }

func (m *Manager) send(state string, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(m.fd, []byte(state), rights, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("tell the service manager %q: %w", state, err)
	}
	return nil
}

// An FD is a file descriptor that the manager gave to this process, with its name.
type FD struct {
	Name string
	FD   int
}

// Inherited returns the fds that the manager gave to this process: the sockets of its socket unit
// first, and then those of the fd store. They are for this process alone (close on exec), and the
// environment does not name them any more. It is to be called once.
func Inherited() ([]FD, error) {
	var all []FD
	var errs []error
	for _, file := range activation.Files(true) {
		fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 3) // no standard one
		if err != nil {
			errs = append(errs, fmt.Errorf("keep the inherited fd %q: %w", file.Name(), err))
		} else {
			all = append(all, FD{file.Name(), fd})
		}
		file.Close()
	}
	return all, errors.Join(errs...)
}
