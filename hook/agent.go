package hook

import (
	"fmt"
	"net"
	"time"

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
		answer, err := c.ask(until, "")
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

// report tells the agent, for its log, why the process was killed. An agent that does not
// listen may be the reason.
func (c agentClient) report(reason error) {
	_, _ = c.ask(time.Now().Add(answerLimit), reason.Error())
}

func (c agentClient) ask(until time.Time, killed string) (inquiry.Answer, error) {
	conn, err := net.DialTimeout("unix", c.socket, answerLimit)
	if err != nil {
		return inquiry.Answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(until); err != nil {
		return inquiry.Answer{}, err
	}
	return inquiry.Ask(conn, inquiry.Question{Container: c.container, Pid: c.pid, Killed: killed})
}
