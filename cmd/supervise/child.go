package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ChildCommand is argv[1] of our re-executed binary: ChildCommand, Command.ChildFlags, what the parent hands over, CMD.
const ChildCommand = "exec-restricted"

// Child is the process between the fork and the exec of CMD.
type Child struct {
	Lock func() error                           // the second lock, before Load
	Load func() (fd int, err error)             // loads the filter on the calling thread, returns its notify fd
	Send func(conn *net.UnixConn, fd int) error // gives the notify fd to the engine
}

// handover is all that the parent tells its child: its descriptors, and what Go's runtime made the parent forget.
type handover struct {
	socket, errors   int
	ignored, blocked signalSet
}

const handoverFormat = "%d:%d:%x:%x"

func (h handover) String() string {
	return fmt.Sprintf(handoverFormat, h.socket, h.errors, h.ignored, h.blocked)
}

func parseHandover(s string) (h handover, err error) {
	if _, err = fmt.Sscanf(s, handoverFormat, &h.socket, &h.errors, &h.ignored, &h.blocked); err != nil {
		err = fmt.Errorf("read handover %q (%s is not for use by hand): %w", s, ChildCommand, err)
	}
	return h, err
}

// errRefused needs no report: the parent knows why.
var errRefused = errors.New("the parent gave up")

// Exec replaces this process by CMD, whose filter the engine serves by then. args is what follows ChildCommand and
// Command.ChildFlags in argv. It returns only on failure, which the parent has then been told; leave with any status.
func (c Child) Exec(args []string) error {
	runtime.LockOSThread() // no_new_privs and the filter are a thread's
	if len(args) < 2 {
		return fmt.Errorf("%s is not for use by hand", ChildCommand)
	}
	h, err := parseHandover(args[0])
	if err != nil {
		return err
	}
	unix.CloseOnExec(h.socket)
	unix.CloseOnExec(h.errors)
	for fd := range 3 {
		if closedAtStart(fd) {
			unix.CloseOnExec(fd)
		}
	}
	// From here, a signal does to us what it would have done to CMD.
	resetSignals(forwardedSignals, h.ignored)

	report := failure{Status: statusOurs}
	if err = c.restrict(h.socket); err == nil {
		resetSignals(allSignals, h.ignored)
		blockSignals(h.blocked)
		report = execCommand(args[1:], environment())
		err = report
	} else if err == errRefused {
		return err
	}
	report.Message = err.Error()
	return errors.Join(err, json.NewEncoder(os.NewFile(uintptr(h.errors), "error pipe")).Encode(report))
}

func (c Child) restrict(socket int) error {
	file := os.NewFile(uintptr(socket), "engine")
	conn, err := net.FileConn(file)
	_ = file.Close()
	if err != nil {
		return fmt.Errorf("use descriptor %d as the socket to the engine: %w", socket, err)
	}
	defer conn.Close()
	engine, ok := conn.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("use descriptor %d as the socket to the engine: it is a %T", socket, conn)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if err := c.Lock(); err != nil {
		return fmt.Errorf("set up the second lock: %w", err)
	}
	fd, err := c.Load()
	if err != nil {
		return fmt.Errorf("load the filter: %w", err)
	}
	defer unix.Close(fd)
	if err := c.Send(engine, fd); errors.Is(err, unix.EPIPE) {
		return errRefused
	} else if err != nil {
		return fmt.Errorf("send the notify fd to the engine: %w", err)
	}
	if n, _ := engine.Read(make([]byte, 1)); n == 0 {
		return errRefused
	}
	return nil
}
