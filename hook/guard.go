package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/port-restricter/port-restricter/hook/filter"
)

// ErrNoFilter means that the config.json of a container that must be restricted lacks
// the filter.
var ErrNoFilter = errors.New("annotations, or the administrator's metadata or rules, restrict" +
	" the container, but its config.json does not contain port-restricter's filter")

// injectFilter says what to do about a container without the filter.
const injectFilter = "inject it with a hook, the runtime, the NRI plugin or a profile"

// answerLimit is how long CheckAgent waits for an agent to accept a connection.
const answerLimit = 5 * time.Second

// Guard fails for the config.json of a container that must be restricted (config.Held) if
// the filter is not in it (ErrNoFilter), or if no agent accepts connections: the container
// must not start, since nothing would hold it to its ports. Guard returns nil for any other
// container.
func Guard(text []byte, o Options) error {
	held, err := parseHeld(text, o)
	if held == nil || err != nil {
		return err
	}
	if err := held.checkFilter(); err != nil {
		return err
	}
	return CheckAgent(o.ListenerPath)
}

// checkFilter fails with ErrNoFilter unless the spec contains the filter. A profile
// contains the filter if merging it again changes nothing.
func (h *held) checkFilter() error {
	seccomp := h.seccomp()
	if seccomp == nil {
		return fmt.Errorf("%w: linux.seccomp is missing; %s", ErrNoFilter, injectFilter)
	}
	merged, err := filter.Merge(seccomp, h.options.Options)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoFilter, err)
	}
	is, err := json.Marshal(h.spec.Linux.Seccomp)
	if err != nil {
		return err
	}
	want, err := json.Marshal(merged)
	if err != nil {
		return err
	}
	if !bytes.Equal(is, want) {
		return fmt.Errorf("%w: linux.seccomp lets a bind or listen past the agent at %s; %s",
			ErrNoFilter, h.options.ListenerPath, injectFilter)
	}
	return nil
}

// CheckAgent fails unless an agent accepts a connection on its socket within answerLimit.
func CheckAgent(socket string) error {
	conn, err := net.DialTimeout("unix", socket, answerLimit)
	if errors.Is(err, fs.ErrNotExist) {
		// The kernel's text, "no such file or directory", would make podman report that
		// the image lacks the container's command.
		err = fmt.Errorf("there is no socket %s", socket)
	}
	if err != nil {
		return fmt.Errorf("the agent does not answer, so the container could bind no port: %w; "+
			"start it: port-restricter agent --socket %s", err, socket)
	}
	return conn.Close()
}
