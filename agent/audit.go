package agent

import (
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/config"
)

// An audit tells what was decided in a session: to the log, to the counters, and to those who
// subscribed.
type audit struct {
	log       *logrus.Entry
	container string // its id
	who       config.Identity

	refusals    *refusalLog        // of the container
	counters    *handover.Counters // of the session
	stats       *stats
	tally       *tally // of the container's namespace
	subscribers *subscribers
}

func newAudit(log *logrus.Logger, container string, who config.Identity) *audit {
	entry := log.WithField("container", container)
	for key, value := range map[string]string{
		"namespace": who.Namespace, "pod": who.Pod, "name": who.Name,
	} {
		if value != "" {
			entry = entry.WithField(key, value)
		}
	}
	return &audit{
		log: entry, container: container, who: who, refusals: newRefusalLog(entry),
		counters: new(handover.Counters), stats: new(stats), tally: new(tally),
		subscribers: new(subscribers),
	}
}

// look notes a decision while its target still waits, so that the target can be looked at.
func (a *audit) look(r *record, t targetThread) {
	defer catch(a.log, new(error))
	a.count(r)
	refused := r.refused()
	if refused {
		r.logged = a.refusals.note(r)
	}
	if t != nil && (r.logged || a.subscribers.want(refused)) {
		r.program = t.Program()
	}
}

func (a *audit) count(r *record) {
	a.tally.add(r)
	switch r.decision {
	case "deny":
		a.counters.Denied.Add(1)
	case "audit":
		a.counters.Audited.Add(1)
	default:
		a.counters.Allowed.Add(1)
	}
}

// write tells a decision after the target has its answer.
func (a *audit) write(tid uint32, r *record) {
	defer catch(a.log, new(error))
	refused, verbose := r.refused(), a.log.Logger.IsLevelEnabled(logrus.DebugLevel)
	subscribed := a.subscribers.want(refused)
	if !subscribed && !r.logged && !verbose {
		return
	}
	e := a.event(tid, r)
	if subscribed {
		a.subscribers.send(e, refused)
	}
	if r.logged {
		a.refusals.describe(r, e)
	}
	switch {
	case r.logged || verbose && refused:
		a.writeLine(logrus.WarnLevel, e)
	case verbose:
		a.writeLine(logrus.DebugLevel, e)
	}
}

func (a *audit) writeLine(level logrus.Level, e Event) {
	fields := logrus.Fields{"pid": e.PID, "operation": e.Operation, "decision": e.Decision}
	if e.Address != "" {
		fields["address"], fields["port"], fields["protocol"] = e.Address, e.Port, e.Protocol
	}
	if e.BoundPort != 0 {
		fields["bound_port"] = e.BoundPort
	}
	if e.UID != nil {
		fields["uid"] = *e.UID
	}
	for key, value := range map[string]string{
		"program": e.Program, "exe": e.Exe, "reason": e.Reason, "errno": e.Errno,
	} {
		if value != "" {
			fields[key] = shortened(value)
		}
	}
	a.log.WithFields(fields).Log(level, string(e.Operation)+" "+e.Decision)
}

// valueLimit bounds, in bytes, a text in a line that a container can provoke. As JSON it can be
// twice as long.
const valueLimit = 512

func shortened(text string) string {
	if len(text) <= valueLimit {
		return text
	}
	return strings.ToValidUTF8(text[:valueLimit], "") + "…"
}
