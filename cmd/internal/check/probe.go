package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A Probe is what a restricted process is to try: the process is this program again, which has
// several threads, as any Go program has.
type Probe struct {
	Allowed uint16 `json:"allowed"`
	Refused uint16 `json:"refused"`
	// Low is an allowed port that takes CAP_NET_BIND_SERVICE, or 0 not to try one.
	Low uint16 `json:"low,omitempty"`
	// Directory is where to make an AF_UNIX socket, or "" not to make one.
	Directory string `json:"directory,omitempty"`
	// ChangeUser means to bind once more as another user.
	ChangeUser bool `json:"change_user,omitempty"`
}

// Ends says how each call ended: 0 or an errno, and notTried for one that was not made.
type Ends struct {
	Allowed   unix.Errno `json:"allowed"`
	Listen    unix.Errno `json:"listen"`
	Refused   unix.Errno `json:"refused"`
	Low       unix.Errno `json:"low"`
	Path      unix.Errno `json:"path"`
	OtherUser unix.Errno `json:"other_user"`
}

const notTried = ^unix.Errno(0)

// probeLimit is how long a restricted process may take. A bind waits as long as a supervisor has
// the notify fd and does not answer.
const probeLimit = 20 * time.Second

// stuck is the exit status of a probe that took longer.
const stuck = 3

// RunProbe makes the calls of the probe in text, and writes their Ends. It is to be run in a
// process of its own, which it ends if a call does not return, or the parent is gone.
func RunProbe(text string, out io.Writer) error {
	time.AfterFunc(probeLimit, func() { os.Exit(stuck) })
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	var p Probe
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return fmt.Errorf("read the probe: %w", err)
	}
	ends := Ends{Low: notTried, Path: notTried, OtherUser: notTried}
	ends.Allowed, ends.Listen = bindAndListen(p.Allowed)
	ends.Refused, _ = bindAndListen(p.Refused)
	if p.Low != 0 {
		ends.Low, _ = bindAndListen(p.Low)
	}
	if p.Directory != "" {
		ends.Path = bindPath(filepath.Join(p.Directory, "a-path-that-is-not-short"))
	}
	if p.ChangeUser {
		ends.OtherUser = bindAsNobody(p.Allowed)
	}
	return json.NewEncoder(out).Encode(ends)
}

// bindAndListen binds a TCP socket, listens on it, and closes it.
func bindAndListen(port uint16) (bind, listen unix.Errno) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return errnoOf(err), notTried
	}
	defer unix.Close(socket)
	address := &unix.SockaddrInet4{Port: int(port), Addr: loopback.As4()}
	if err := unix.Bind(socket, address); err != nil {
		return errnoOf(err), notTried
	}
	return 0, errnoOf(unix.Listen(socket, 1))
}

// bindPath binds an AF_UNIX socket, and removes it.
func bindPath(path string) unix.Errno {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return errnoOf(err)
	}
	defer unix.Close(socket)
	if err := unix.Bind(socket, &unix.SockaddrUnix{Name: path}); err != nil {
		return errnoOf(err)
	}
	return errnoOf(os.Remove(path))
}

// nobody is a user that most user namespaces map.
const nobody = 65534

// bindAsNobody becomes another user, as a server does that root starts, and binds. The kernel makes
// such a process undumpable until it executes a program. It returns notTried if this process
// can't change its user.
func bindAsNobody(port uint16) unix.Errno {
	if unix.Setresuid(nobody, nobody, nobody) != nil {
		return notTried
	}
	end, _ := bindAndListen(port)
	return end
}

// errnoOf returns the errno of an error of a system call, and 0 for none.
func errnoOf(err error) unix.Errno {
	if err == nil {
		return 0
	}
	errno := unix.EIO
	errors.As(err, &errno)
	return errno
}
