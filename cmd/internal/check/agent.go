package check

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config/inquiry"
)

// answerLimit is how long an agent may take to answer.
const answerLimit = 5 * time.Second

// A server is who listens on the agent's socket.
type server struct {
	unix.Ucred
	name string // of the program
}

// bySystemd reports whether the socket is one that systemd keeps open.
func (s server) bySystemd() bool { return s.name == "systemd" }

// alive reports whether an agent answers, and who listens there.
func alive(socket string) (Result, server) {
	const name = "agent"
	conn, err := net.DialTimeout("unix", socket, answerLimit)
	if err != nil {
		return notConnected(socket, err), server{}
	}
	defer conn.Close()
	listens, err := serverOf(conn.(*net.UnixConn))
	if err != nil {
		return fail(name, "", "ask who listens at %s: %v", socket, err), server{}
	}
	// No container has this id, so the answer is no.
	_, err = ask(socket, inquiry.Question{Container: "port-restricter check", Pid: os.Getpid()})
	who := fmt.Sprintf("process %d (%s) of user %s", listens.Pid, listens.name, nameOf(listens.Uid))
	switch {
	case err == nil:
		return ok(name, "answers at %s, where %s listens", socket, who), listens
	case errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE):
		return fail(name, "run this as root, or as the agent's user; if you do, restart an agent"+
			" that is older than this program; its log may say more: "+logOf(listens),
			"%s listens at %s, and closes the connection: an agent answers root and its own user",
			who, socket), listens
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fail(name, "restart it; its log may say more: "+logOf(listens),
			"%s listens at %s, and does not answer within %s", who, socket, answerLimit), listens
	}
	return fail(name, fmt.Sprintf("restart it; its log may say more: %s", logOf(listens)),
		"%s listens at %s, and does not answer as an agent does: %v", who, socket, err), listens
}

// notConnected says why nobody can be connected to at the socket.
func notConnected(socket string, err error) Result {
	const name = "agent"
	start := "start it: port-restricter agent --socket " + socket
	if os.Geteuid() == 0 {
		start = "start it: systemctl enable --now port-restricter.socket port-restricter, or " +
			"port-restricter agent --socket " + socket
	}
	owner, who, us := "", "root", nameOf(uint32(os.Geteuid()))
	info, statErr := os.Stat(socket)
	if statErr == nil {
		if owner = nameOf(info.Sys().(*syscall.Stat_t).Uid); owner != who {
			who += " or as " + owner
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(name, start, "it does not run: there is no socket %s", socket)
	case errors.Is(err, unix.ECONNREFUSED) && statErr == nil && info.Mode().Type() != fs.ModeSocket:
		return fail(name, "remove the file, and "+start, "%s is no socket, but a file (%s)",
			socket, info.Mode())
	case errors.Is(err, unix.ECONNREFUSED):
		return fail(name, start, "it has ended: nobody listens on the socket %s", socket)
	case errors.Is(err, fs.ErrPermission):
		if statErr != nil {
			return fail(name, "run this as root, or name the socket of your own agent:"+
				" --listener PATH", "user %s may not reach %s", us, socket)
		}
		return fail(name, "run this as "+who+", or name the socket of your own agent:"+
			" --listener PATH",
			"the socket %s belongs to user %s, and user %s may not connect to it",
			socket, owner, us)
	case os.IsTimeout(err) || errors.Is(err, unix.EAGAIN):
		return fail(name, "restart it", "it accepts no connection at %s", socket)
	}
	return fail(name, start, "connect to %s: %v", socket, err)
}

// ask asks the agent as a guard does.
func ask(socket string, q inquiry.Question) (inquiry.Answer, error) {
	conn, err := net.DialTimeout("unix", socket, answerLimit)
	if err != nil {
		return inquiry.Answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return inquiry.Answer{}, err
	}
	return inquiry.Ask(conn, q)
}

func serverOf(conn *net.UnixConn) (s server, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return s, err
	}
	var peer *unix.Ucred
	controlErr := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(controlErr, err); err != nil {
		return s, err
	}
	comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", peer.Pid))
	return server{*peer, strings.TrimSpace(string(comm))}, nil
}

// logOf says where the log is of the agent that listens.
func logOf(s server) string {
	if unit := s.unit(); unit != "" {
		return "journalctl " + s.scope() + "-u " + unit
	}
	return "where it was started"
}

func nameOf(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if known, err := user.LookupId(id); err == nil {
		return known.Username
	}
	return id
}
