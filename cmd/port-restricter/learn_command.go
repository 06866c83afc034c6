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
		learner := newLiveLearner(s.Subscribe(false, learnCapacity))
		return func() {
			s.Close() // no call is in flight then
			failed = errors.Join(learner.stop(),
				l.write(&learner.Learner, filepath.Base(args[0])))
		}
	}
	status, err := runRestricted(
		nothing, logrus.ErrorLevel, supervise.Command{Args: args}, watch)
	if err == nil && failed != nil {
		return cmp.Or(status, cli.StatusFailure), failed
	}
	return status, err
}

// A liveLearner learns from the decisions of a supervisor as they are made.
type liveLearner struct {
	learn.Learner
	subscription *agent.Subscription
	enough, done chan struct{}
	err          error
}

func newLiveLearner(s *agent.Subscription) *liveLearner {
	l := &liveLearner{subscription: s, enough: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for {
			select {
			case e := <-s.C:
				l.add(e)
			case <-l.enough:
				for len(s.C) > 0 {
					l.add(<-s.C)
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

// stop ends the learning, and returns an error if it did not learn from everything.
func (l *liveLearner) stop() error {
	l.subscription.Close()
	close(l.enough)
	<-l.done
	if missed := l.subscription.Missed(); missed > 0 {
		return errors.Join(l.err, fmt.Errorf("%d calls came too fast to learn from them:"+
			" ports may be missing from the list; run it again", missed))
	}
	return l.err
}
