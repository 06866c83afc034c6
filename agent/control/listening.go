package control

import (
	"context"
	"time"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/listening"
)

// listening looks on what a container listens. There is one look at a time, and it is not waited
// for without end: the kernel may let it wait for the container.
func (s *Server) listening(ctx context.Context, c agent.Container) listening.Report {
	end := time.After(s.lookLimit)
	why := "the question was taken back"
	select {
	case s.looks <- struct{}{}:
		done := make(chan listening.Report, 1)
		go func() {
			defer func() { <-s.looks }()
			done <- s.look(roots(c))
		}()
		select {
		case report := <-done:
			return report
		case <-end:
			why = "the look at its processes takes too long"
		case <-ctx.Done():
		}
	case <-end:
		why = "the agent still looks at the processes of another container: ask again"
	case <-ctx.Done():
	}
	return listening.Report{Sockets: []listening.Socket{}, Incomplete: []string{why}}
}

func roots(c agent.Container) (all []listening.Root) {
	for i, pid := range c.PIDs {
		all = append(all, listening.Root{PID: pid, Home: c.Homes[i]})
	}
	return all
}
