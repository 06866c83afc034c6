package control

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/listening"
)

// An Agent is what an agent says of itself.
type Agent struct {
	Version      string    `json:"version"`
	PID          int       `json:"pid"`
	Since        time.Time `json:"since"`
	Socket       string    `json:"socket"` // on which OCI runtimes send it containers
	Capabilities string    `json:"capabilities"`
	Settings     Settings  `json:"settings"`

	// Keeps means that a service manager keeps the containers through a restart of the agent.
	Keeps bool `json:"keeps"`
	// TakenOver is how many containers the agent has from the one before it.
	TakenOver int `json:"taken_over"`

	Containers  int `json:"containers"`
	Sessions    int `json:"sessions"`
	Unprotected int `json:"unprotected"` // sessions that would not survive a restart
	Readers     int `json:"readers"`     // of events
}

// Details are all that is known of a container.
type Details struct {
	agent.Container

	// Listening is on what its processes listen at the moment of the answer.
	Listening listening.Report `json:"listening"`
}

// A Line is a line of the stream of events: an event, or how many did not fit into the stream
// before the next one.
type Line struct {
	agent.Event
	Missed uint64 `json:"missed,omitempty"`
}

// Missed is a Line without an event.
type Missed struct {
	Missed uint64 `json:"missed"`
}

// problem is the answer to a request that fails.
type problem struct {
	Error string `json:"error"`
}

// Path returns the path of the control socket of an agent that has no service manager, and that
// of the units in deploy/systemd: agent.sock has control.sock beside it, and NAME.sock has
// NAME-control.sock.
func Path(agentSocket string) string {
	dir, name := filepath.Split(agentSocket)
	if name == "agent.sock" {
		return dir + "control.sock"
	}
	return dir + strings.TrimSuffix(name, ".sock") + "-control.sock"
}
