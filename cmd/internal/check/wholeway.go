package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/config"
)

// wholeWay starts a process as an OCI runtime starts that of a container, and lets it bind. It
// uses no OCI runtime and no engine.
func (n Node) wholeWay(listens server) Result {
	const name = "whole way"
	state := specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Metadata: n.Metadata,
		State: specs.State{
			Version: specs.Version, Status: specs.StateCreating, Bundle: "/",
			ID: fmt.Sprintf("port-restricter-check-%d", os.Getpid()),
		},
	}
	annotations := func(port uint16) map[string]string {
		return map[string]string{config.AnnotationPort: element(port)}
	}
	ports, err := choose(func(port uint16) (config.Policy, error) {
		c := config.Container{ID: state.State.ID, Annotations: annotations(port)}
		return config.FromState(c, n.Metadata, n.Rules)
	})
	if errors.Is(err, errNothingRefused) {
		return warn(name, "take mode=audit out of the metadata", "it can't be shown: %v", err)
	} else if err != nil {
		return fail(name, "", "it can't be tried: %v", err)
	}
	state.State.Annotations = annotations(ports.allowed)
	text, err := json.Marshal(state)
	if err != nil {
		return fail(name, "", "%v", err)
	}
	probe := Probe{Allowed: ports.allowed, Refused: ports.refused}
	ends, err := run(likeRuntime(), "check", "attach", n.Socket, string(text), probe.encode())
	if err != nil {
		return fail(name, "its log says more: "+logOf(listens),
			"a container can't be restricted by this agent: %v", err)
	}
	if wrong := ends.judge(probe); wrong != "" {
		mend := "its log says more: " + logOf(listens)
		if isRoot() && !listens.bySystemd() && listens.Uid != 0 {
			mend = "run this as " + nameOf(listens.Uid) + ", if the agent is for that user's" +
				" containers only; " + mend
		}
		return fail(name, mend, "%s", wrong)
	}
	return ok(name, "a process that was attached like a container got port %d, and was refused"+
		" port %d", ports.allowed, ports.refused)
}

// likeRuntime returns how the process differs from this one in which an OCI runtime would be. The
// one of an ordinary user is in a user namespace of its own, in which the user's agent has the
// privilege to inspect it.
func likeRuntime() *syscall.SysProcAttr {
	if os.Geteuid() == 0 {
		return nil
	}
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
}
