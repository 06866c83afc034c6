package podevents

import (
	"context"
	"time"

	"github.com/sirupsen/logrus"
	"k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/port-restricter/port-restricter/agent"
)

// The kubelet writes the id of a container into the pod's status after the container has started.
// Until then its refusals wait: at most so many of one container, of so many containers.
const (
	waitLimit      = 2 * time.Minute
	waitingOfOne   = 16
	waitingOfKinds = 256
)

// A reporter makes an event of each refusal whose pod is known.
type reporter struct {
	pods     *pods
	recorder record.EventRecorder
	log      *logrus.Logger
	waiting  map[string]*queue // by the container's id
}

// A queue has the refusals of one container that wait for its pod.
type queue struct {
	since    time.Time
	refusals []agent.Event
}

func newReporter(p *pods, recorder record.EventRecorder, log *logrus.Logger) *reporter {
	return &reporter{p, recorder, log, map[string]*queue{}}
}

// run reports until ctx is done.
func (r *reporter) run(ctx context.Context, refusals <-chan agent.Event) {
	tick := time.NewTicker(waitLimit / 8)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-refusals:
			if e.Pod != "" && !r.report(e) {
				r.wait(e)
			}
		case <-r.pods.changed:
			r.retry()
		case <-tick.C:
			r.expire()
		}
	}
}

// report makes an event, if the pod is known.
func (r *reporter) report(e agent.Event) bool {
	pod, name := r.pods.find(e.Container)
	if pod == nil {
		return false
	}
	kind, reason := v1.EventTypeWarning, "PortDenied"
	if e.Decision == "audit" {
		kind, reason = v1.EventTypeNormal, "PortAudited"
	}
	r.recorder.Event(pod, kind, reason, message(e, name))
	return true
}

func (r *reporter) wait(e agent.Event) {
	q := r.waiting[e.Container]
	if q == nil && len(r.waiting) < waitingOfKinds {
		q = &queue{since: time.Now()}
		r.waiting[e.Container] = q
	}
	if q == nil || len(q.refusals) >= waitingOfOne {
		return // the agent has counted it
	}
	q.refusals = append(q.refusals, e)
}

// retry reports what waits for a pod that is known by now.
func (r *reporter) retry() {
	for id, q := range r.waiting {
		if !r.report(q.refusals[0]) {
			continue
		}
		for _, e := range q.refusals[1:] {
			r.report(e)
		}
		delete(r.waiting, id)
	}
}

func (r *reporter) expire() {
	for id, q := range r.waiting {
		if time.Since(q.since) > waitLimit {
			e := q.refusals[0]
			r.log.WithFields(logrus.Fields{
				"container": id, "namespace": e.Namespace, "pod": e.Pod, "count": len(q.refusals),
			}).Warn("refusals of a container that is in the status of no pod of this node")
			delete(r.waiting, id)
		}
	}
}
