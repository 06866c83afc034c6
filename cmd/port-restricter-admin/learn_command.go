package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/sirupsen/logrus"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/learn"
	"github.com/port-restricter/port-restricter/cmd/internal/start"
	"github.com/port-restricter/port-restricter/cmd/internal/supervise"
	"github.com/port-restricter/port-restricter/config"
)

// learnCapacity is how many events may wait to be learned.
const learnCapacity = 1 << 16

// fromCommand runs a command that may bind everything, and learns from what it does. It returns
// the exit status of the command; if that is 0, what was not learned makes another one of it.
func (l *learning) fromCommand(args []string) (int, error) {
	nothing, err := config.ParsePolicy(config.Texts{Ports: "none", Mode: "audit"})
	if err != nil {
		return cli.StatusFailure, err
	}
	var failed error
	watch := func(s *agent.Supervisor) (ended func()) {
		// What the policy allows even so, as a client's bind to port 0, needs no port.
		subscription := s.Subscribe(false, learnCapacity)
		learner := newLiveLearner(subscription.C)
		return func() {
			s.Close() // no call is in flight then
			subscription.Close()
			failed = errors.Join(learner.stop(subscription.Missed()),
				l.write(&learner.Learner, filepath.Base(args[0])))
		}
	}
	status, err := start.Restricted(
		nothing, logrus.ErrorLevel, supervise.Command{Args: args}, watch)
	if err == nil && failed != nil {
		return cmp.Or(status, cli.StatusFailure), failed
	}
	return status, err
}

// A liveLearner learns from the decisions of a supervisor as they are made.
type liveLearner struct {
	learn.Learner
	enough, done chan struct{}
	err          error
}

func newLiveLearner(events <-chan agent.Event) *liveLearner {
	l := &liveLearner{enough: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for {
			select {
			case e := <-events:
				l.add(e)
			case <-l.enough:
				for len(events) > 0 {
					l.add(<-events)
				}
				return
			}
		}
	}()
	return l
}

func (l *liveLearner) add(e agent.Event) {
	if err := l.Add(e); err != nil && l.err == nil {
		l.err = fmt.Errorf("learn from a call: %w", err)
	}
}

// stop ends the learning, when no more events come. It returns an error if it did not learn from
// everything: missed is how many events did not reach it.
func (l *liveLearner) stop(missed uint64) error {
	close(l.enough)
	<-l.done
	if missed > 0 {
		return errors.Join(l.err, fmt.Errorf("%d calls came too fast to learn from them:"+
			" ports may be missing from the list; run it again", missed))
	}
	return l.err
}
