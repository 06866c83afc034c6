package supervise

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// notifications stands between the command and the service manager that started the
// supervisor, sd_notify(3). For systemd the supervisor is the main process of the service.
// By default systemd takes messages of that process only, so the supervisor sends what
// the command says. A nil *notifications stands between nobody.
type notifications struct {
	*net.UnixConn
	manager *net.UnixAddr
	buffer  [1 << 16]byte // systemd takes 4096 bytes
	control [4096]byte    // room for SCM_MAX_FD fds and the sender
}

// listenForNotifications returns nil if there is no manager, or none that is addressed by
// a path or an abstract name, or if a process here can't reach it.
func listenForNotifications(manager string) (*notifications, error) {
	if !strings.HasPrefix(manager, "/") && !strings.HasPrefix(manager, "@") {
		return nil, nil
	}
	// The kernel picks an abstract name: there may be no directory to write to.
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil, nil // RestrictAddressFamilies= without AF_UNIX, systemd.exec(5)
	}
	if err != nil {
		return nil, fmt.Errorf("make a socket for the notifications of the command: %w", err)
	}
	n := &notifications{UnixConn: conn, manager: &net.UnixAddr{Net: "unixgram", Name: manager}}
	raw, err := conn.SyscallConn()
	if err == nil {
		setErr := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
		})
		err = errors.Join(err, setErr)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("ask for the senders of notifications: %w", err)
	}
	return n, nil
}

// address returns what NOTIFY_SOCKET is for the command.
func (n *notifications) address() string { return n.LocalAddr().String() }

// send sends a message of the supervisor's own.
func (n *notifications) send(text string) {
	if n != nil {
		_, _, _ = n.WriteMsgUnix([]byte(text), nil, n.manager)
	}
}

// passOnFor passes messages on until the function that it returns is called. That
// function passes on what the command said before its end.
func (n *notifications) passOnFor(child *child) (finish func()) {
	if n == nil {
		return func() {}
	}
	raw, err := n.SyscallConn()
	if err != nil {
		return func() { n.Close() }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for raw.Read(func(fd uintptr) bool { return n.passOn(int(fd), child) }) == nil {
		}
	}()
	return func() {
		_ = n.SetReadDeadline(time.Unix(0, 0))
		<-done
		_ = raw.Control(func(fd uintptr) {
			for n.passOn(int(fd), child) {
			}
		})
		n.Close()
	}
}

// passOn passes one message on. It returns false if there is none.
func (n *notifications) passOn(fd int, child *child) bool {
	const flags = unix.MSG_DONTWAIT | unix.MSG_CMSG_CLOEXEC
	length, controlLength, _, _, err := unix.Recvmsg(fd, n.buffer[:], n.control[:], flags)
	if err != nil {
		return err != unix.EAGAIN
	}
	sender, fds := senderAndFDs(n.control[:controlLength])
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	if sender != child.pid && !descends(sender) {
		return true // anybody on the machine can send to an abstract name
	}
	text := withoutMainPID(string(n.buffer[:length]))
	if text == "" && len(fds) == 0 {
		return true
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	// The command can't be told that the manager is gone: its own send has succeeded.
	_, _, _ = n.WriteMsgUnix([]byte(text), rights, n.manager)
	return true
}

// withoutMainPID takes out the lines by which a program makes itself, or a successor, the
// main process of the service. That is the supervisor: systemd learns the exit status of
// its own children only.
func withoutMainPID(message string) string {
	var kept []string
	for _, line := range strings.Split(message, "\n") {
		if !strings.HasPrefix(line, "MAINPID=") && !strings.HasPrefix(line, "MAINPIDFDID=") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// senderAndFDs returns what came with a message. The sender is 0 if the kernel could not
// tell it: a process of another pid namespace.
func senderAndFDs(control []byte) (sender int, fds []int) {
	messages, _ := unix.ParseSocketControlMessage(control)
	for _, m := range messages {
		if credentials, err := unix.ParseUnixCredentials(&m); err == nil {
			sender = int(credentials.Pid)
		}
		if more, err := unix.ParseUnixRights(&m); err == nil {
			fds = append(fds, more...)
		}
	}
	return sender, fds
}
