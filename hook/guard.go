package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/hook/filter"
)

// ErrNoFilter means that the config.json of an annotated container lacks the filter.
var ErrNoFilter = errors.New("the container is annotated for port-restricter, but its config.json has no filter of ours")

// answerLimit is how long an agent may take to accept a connection.
const answerLimit = 5 * time.Second

// Guard fails for the config.json of an annotated container that would not be held
// to its ports: the filter is not in it, or no agent listens.
func Guard(text []byte, o filter.Options) error {
	spec, err := parseAnnotated(text)
	if spec == nil || err != nil {
		return err
	}
	if err := checkFilter(spec, o); err != nil {
		return err
	}
	return CheckAgent(o.ListenerPath)
}

// checkFilter fails with ErrNoFilter unless the spec contains the filter. A profile
// contains the filter if merging it again changes nothing.
func checkFilter(spec *specs.Spec, o filter.Options) error {
	seccomp := seccompOf(spec)
	if seccomp == nil {
		return fmt.Errorf("%w: it has no linux.seccomp at all; inject it by hook, runtime, NRI or profile", ErrNoFilter)
	}
	merged, err := filter.Merge(seccomp, o)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoFilter, err)
	}
	is, err := json.Marshal(seccomp)
	if err != nil {
		return err
	}
	want, err := json.Marshal(merged)
	if err != nil {
		return err
	}
	if !bytes.Equal(is, want) {
		return fmt.Errorf("%w: linux.seccomp lets bind or listen past the agent at %s; inject it by hook, runtime, NRI or profile", ErrNoFilter, o.ListenerPath)
	}
	return nil
}

// CheckAgent fails if nobody accepts connections on the agent's socket.
func CheckAgent(socket string) error {
	conn, err := net.DialTimeout("unix", socket, answerLimit)
	if errors.Is(err, fs.ErrNotExist) {
		// Podman takes the kernel's words for a command that the image lacks.
		err = fmt.Errorf("there is no socket %s", socket)
	}
	if err != nil {
		return fmt.Errorf("the agent doesn't answer, and without it the container could bind nothing: %w; start it: port-restricter agent --socket %s", err, socket)
	}
	return conn.Close()
}
