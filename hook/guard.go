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
)

// ErrNoFilter: a container that has our annotations lacks our filter.
var ErrNoFilter = errors.New("the container is annotated for port-restricter, but its config.json has no filter of ours")

// answerLimit is how long an agent may take to accept a connection.
const answerLimit = 5 * time.Second

// Guard fails for the config.json of an annotated container that would not be
// held to its ports: our filter is not in it, or no agent listens.
func Guard(text []byte, o Options) error {
	spec, err := parseAnnotated(text)
	if spec == nil || err != nil {
		return err
	}
	if err := inPlace(spec, o); err != nil {
		return err
	}
	return AgentAnswers(o.ListenerPath)
}

// inPlace: what merging our filter into doesn't change, has it.
func inPlace(spec *specs.Spec, o Options) error {
	seccomp := seccompOf(spec)
	if seccomp == nil {
		return fmt.Errorf("%w: it has no linux.seccomp at all; inject it by hook, runtime, NRI or profile", ErrNoFilter)
	}
	merged, err := Merge(seccomp, o)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoFilter, err)
	}
	is, err := json.Marshal(seccomp)
	if err != nil {
		return err
	}
	should, err := json.Marshal(merged)
	if err != nil {
		return err
	}
	if !bytes.Equal(is, should) {
		return fmt.Errorf("%w: linux.seccomp lets bind or listen past the agent at %s; inject it by hook, runtime, NRI or profile", ErrNoFilter, o.ListenerPath)
	}
	return nil
}

// AgentAnswers fails when nobody accepts connections on the agent's socket.
func AgentAnswers(socket string) error {
	conn, err := net.DialTimeout("unix", socket, answerLimit)
	if errors.Is(err, fs.ErrNotExist) {
		// In the kernel's words podman takes it for a command that the image lacks.
		err = fmt.Errorf("there is no socket %s", socket)
	}
	if err != nil {
		return fmt.Errorf("the agent doesn't answer, and without it the container could bind nothing: %w; start it: port-restricter agent --socket %s", err, socket)
	}
	return conn.Close()
}
