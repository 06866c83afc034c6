package hook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/config"
)

// ErrNotHeld means that the process of a container that must be restricted runs, or would
// run, without the filter, or that the agent does not serve it.
var ErrNotHeld = errors.New("nothing holds the container's process to its ports")

var (
	errNotLoaded = errors.New("the OCI runtime has loaded no seccomp filter")
	errNotSent   = errors.New("it has a seccomp filter, but the OCI runtime did not send the" +
		" filter's notify fd to the agent")
)

const (
	// loadLimit is how long a runtime may take from the start of the container to the load of
	// the filter, and to the agent's receipt of the notify fd. The container's program does
	// not run meanwhile.
	loadLimit = 5 * time.Second
	// attachLimit is how long an agent may take to attach a notify fd that it was sent. The
	// runtime sends it before it executes the program, so the agent has accepted the runtime's
	// connection before the guard's, and has only to read the message. The program runs
	// meanwhile, under a filter that may be another one.
	attachLimit = 500 * time.Millisecond

	firstWait, lastWait = time.Millisecond, 50 * time.Millisecond
)

// CheckStarted is the guard of a container that an OCI runtime has started: the second look,
// at the process itself. Its first look, Guard, saw only the config.json that the runtime was
// to obey. CheckStarted waits until the first process of the container is under a seccomp
// filter, and the agent has its notify fd. It kills the process and fails with
// ErrNotHeld if the container's program runs without, or if that can't be determined. A
// container that has ended meanwhile is no error, nor is one that need not be restricted.
//
// CheckStarted is for a poststart hook. By then runc has loaded the filter, and has not
// executed the container's program. crun runs poststart hooks while the program is about to
// be executed: a process with no_new_privs loads the filter immediately before.
func CheckStarted(state *specs.State, o Options) error {
	if !heldInState(state, o) {
		return nil
	}
	process, err := openProcess(state.Pid)
	if errors.Is(err, errEnded) {
		return nil
	} else if err != nil {
		return fmt.Errorf("container %s: %w", state.ID, err)
	}
	defer process.close()
	agent := agentClient{socket: o.ListenerPath, container: state.ID, pid: state.Pid}
	err = awaitHeld(process.look, agent.attached, clock(time.Now()))
	if _, lookErr := process.look(); err == nil || errors.Is(lookErr, errEnded) {
		return nil
	}
	err = fmt.Errorf("%w: %w", ErrNotHeld, err)
	if killErr := process.kill(); killErr != nil {
		err = fmt.Errorf("%w; and it still runs: %w", err, killErr)
	}
	return fmt.Errorf("container %s: process %d was killed: %w", state.ID, state.Pid, err)
}

// heldInState reports whether the container of a state must be restricted. Whether a key or a
// rule for a name is for a container of podman is seen from its config.json only.
func heldInState(state *specs.State, o Options) bool {
	container := config.Container{ID: state.ID, Annotations: state.Annotations}
	annotations, administrator := config.NamedKeys(container, o.ListenerMetadata)
	if len(annotations) == 0 && len(administrator) == 0 && !o.Rules.NeedName(container) {
		return config.Held(container, o.ListenerMetadata, o.Rules)
	}
	text, err := os.ReadFile(filepath.Join(state.Bundle, "config.json"))
	if err != nil || !filepath.IsAbs(state.Bundle) {
		return true
	}
	held, err := Held(text, o.ListenerMetadata, o.Rules)
	return held || err != nil
}

// A condition is the state of a process, as /proc shows it.
type condition struct {
	executed bool // it runs the container's program, no longer the code of the runtime
	filtered bool // it is under a seccomp filter
}

// awaitHeld waits until the process is held to its ports: it is filtered, and attached says
// that the agent serves it. look fails with errEnded once the process has ended.
func awaitHeld(
	look func() (condition, error), attached func() (bool, error), clock waiter,
) error {
	var ranAt time.Duration = -1 // when the program ran without a session
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		process, err := look()
		if err != nil {
			return err
		}
		lack := errNotLoaded
		if process.filtered {
			lack = errNotSent
			if ok, err := attached(); ok || err != nil {
				return err
			}
		}
		now := clock.passed()
		if process.executed && ranAt < 0 {
			ranAt = now
		}
		if process.executed && (!process.filtered || now-ranAt > attachLimit) || now > loadLimit {
			return lack
		}
		clock.wait(wait)
	}
}

// A waiter tells the time since it was made, and lets it pass.
type waiter interface {
	passed() time.Duration
	wait(d time.Duration)
}

// A clock is the waiter of the real time.
type clock time.Time

func (c clock) passed() time.Duration { return time.Since(time.Time(c)) }
func (c clock) wait(d time.Duration)  { time.Sleep(d) }
