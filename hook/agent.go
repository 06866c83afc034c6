package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/config/inquiry"
)

// An agentClient asks the agent about one process of a container.
type agentClient struct {
	socket    string
	container string
	pid       int
}

// attached reports whether the agent serves the process. It waits for an agent that restarts,
// and fails if none answers within answerLimit.
func (c agentClient) attached() (bool, error) {
	for until := time.Now().Add(answerLimit); ; time.Sleep(lastWait) {
		answer, err := c.ask(until)
		if err == nil {
			return answer.Attached, nil
		}
		if time.Now().After(until) {
			return false, fmt.Errorf("the agent at %s does not answer: %w; start it, or restart"+
				" one that is older than this hook: port-restricter agent --socket %s",
				c.socket, err, c.socket)
		}
	}
}

func (c agentClient) ask(until time.Time) (inquiry.Answer, error) {
	return ask(c.socket, until, inquiry.Question{Container: c.container, Pid: c.pid})
}

func ask(socket string, until time.Time, q inquiry.Question) (inquiry.Answer, error) {
	conn, err := net.DialTimeout("unix", socket, answerLimit)
	if err != nil {
		return inquiry.Answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(until); err != nil {
		return inquiry.Answer{}, err
	}
	return inquiry.Ask(conn, q)
}

// reportLimit is how long Report waits for the agent.
const reportLimit = 2 * time.Second

// Report tells the agent, for its log, why a container was refused, and by whom: engines show
// their users less than the agent's log does. text is the config.json or the state of the
// container. It fails in silence: an agent that does not listen may be the reason.
func Report(socket, by string, text []byte, reason error) {
	q := inquiry.Question{By: by, Refused: inquiry.Printable(reason.Error())}
	var state specs.State
	var spec specs.Spec
	if json.Unmarshal(text, &state) == nil && state.ID != "" {
		q.Container = state.ID
		if errors.Is(reason, ErrNotHeld) {
			q.Pid = state.Pid
		}
	} else if json.Unmarshal(text, &spec) == nil {
		if q.Container = containerOf(&spec).ID; q.Container == "" {
			_, _, q.Container, _ = podmanPaths(&spec)
		}
	}
	_, _ = ask(socket, time.Now().Add(reportLimit), q)
}
