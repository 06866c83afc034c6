// Package podevents makes events of Kubernetes from what an agent refuses.
//
// A refusal belongs to the pod in whose status the kubelet wrote the id of the container. An id is
// random, and a pod's author can't write a status. So no pod gets the events of another one, nor
// those of an earlier pod of its name.
package podevents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
	"k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/control"
)

// component is who the events are from.
const component = "port-restricter"

// Options say whose events become events of which cluster.
type Options struct {
	Agent   *control.Client
	Cluster core.CoreV1Interface
	Node    string // on which the agent runs, as the cluster names it
	Log     *logrus.Logger
}

// Run makes events until ctx is done. It waits for an agent that is not there, and for
// kube-apiserver.
func Run(ctx context.Context, o Options) error {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&core.EventSinkImpl{Interface: o.Cluster.Events("")})
	recorder := broadcaster.NewRecorder(scheme.Scheme,
		v1.EventSource{Component: component, Host: o.Node})

	known, err := watchPods(ctx, o)
	if err != nil {
		return err
	}
	refusals := make(chan agent.Event)
	go follow(ctx, o, refusals)
	o.Log.WithField("node", o.Node).Info("making events of what the agent refuses")
	newReporter(known, recorder, o.Log).run(ctx, refusals)
	return nil
}

// follow sends the agent's refusals. Where the agent ends, it asks again, until another one
// answers. The agent waits for nobody: it drops what is not read in time, and says so.
func follow(ctx context.Context, o Options, refusals chan<- agent.Event) {
	backoff := wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 6,
		Cap: 30 * time.Second}
	said := ""
	_ = backoff.DelayWithReset(clock.RealClock{}, time.Minute).Until(ctx, true, true,
		func(ctx context.Context) (done bool, _ error) {
			err := followOne(ctx, o, refusals, func() { said = "" })
			if ctx.Err() == nil && err.Error() != said {
				said = err.Error()
				o.Log.WithError(err).Warn("waiting for the agent")
			}
			return false, nil
		})
}

// followOne sends the refusals of one agent until it ends, which is an error.
func followOne(
	ctx context.Context, o Options, refusals chan<- agent.Event, connected func(),
) error {
	lines, err := o.Agent.Events(ctx, false, "")
	if err != nil {
		return err
	}
	connected()
	for line, err := range lines {
		switch {
		case err != nil:
			return err
		case line.Missed > 0:
			o.Log.WithField("count", line.Missed).
				Warn("the agent refused more than could be read in time")
			continue
		}
		select {
		case refusals <- line.Event:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(ctx.Err(), fmt.Errorf("the agent's events have ended"))
}
