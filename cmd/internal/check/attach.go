package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/cmd/internal/supervise"
	"github.com/port-restricter/port-restricter/config/inquiry"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// RunAttached runs a probe as a container: in a process under the filter, whose notify fd is sent
// to the agent at socket with the container process state in text, as an OCI runtime sends it.
// It is to be run in a process of its own, and returns the exit status of that.
func RunAttached(socket, text, probe string) (status int, err error) {
	var state specs.ContainerProcessState
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		return 1, fmt.Errorf("read the container process state: %w", err)
	}
	program, err := filter.Compile(filter.Profile(filter.Options{
		Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv},
	}))
	if err != nil {
		return 1, err
	}
	return supervise.Command{
		Args:   []string{self, "check", "probe", probe},
		Filter: program.Instructions, FilterFlags: program.Flags, Ruleset: -1,
		Attach: func(pid, notifyFD int) error {
			defer unix.Close(notifyFD)
			state.Pid, state.State.Pid = pid, pid
			if err := send(socket, state, notifyFD); err != nil {
				return err
			}
			return await(socket, state.State.ID, pid)
		},
	}.Run()
}

// send sends the state and the notify fd, and closes the connection.
func send(socket string, state specs.ContainerProcessState, notifyFD int) error {
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return err
	}
	_, _, err = conn.WriteMsgUnix(text, unix.UnixRights(notifyFD), nil)
	return err
}

// attachLimit is how long an agent may take to serve a container that it was sent.
const attachLimit = 10 * time.Second

var errNotAttached = errors.New("the agent was sent the container, and does not serve it")

// await waits until the agent serves the process.
func await(socket, container string, pid int) error {
	for until := time.Now().Add(attachLimit); time.Now().Before(until); {
		answer, err := ask(socket, inquiry.Question{Container: container, Pid: pid})
		if err != nil {
			return err
		}
		if answer.Attached {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errNotAttached
}
