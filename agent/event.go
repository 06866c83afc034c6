package agent

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

// An Event is one decision, for people and for programs. An empty field is not known, or does not
// apply. A container chooses Program and Exe: they have no control characters, and may lie.
type Event struct {
	Time      time.Time `json:"time"`
	Container string    `json:"container"` // its id
	Namespace string    `json:"namespace,omitempty"`
	Pod       string    `json:"pod,omitempty"`
	Name      string    `json:"name,omitempty"` // of the container in its pod, or podman's

	PID     uint32 `json:"pid"`               // of the thread, as the agent numbers it
	Program string `json:"program,omitempty"` // the thread's name
	Exe     string `json:"exe,omitempty"`     // the program's file, in the container
	UID     *int64 `json:"uid,omitempty"`     // the thread's user, as the container numbers it

	Operation config.Operation `json:"operation"`
	Protocol  config.Protocol  `json:"protocol,omitempty"`
	Address   string           `json:"address,omitempty"`
	Port      uint16           `json:"port"`
	DualStack bool             `json:"dual_stack,omitempty"` // [::] with IPv4, config.Request
	BoundPort uint16           `json:"bound_port,omitempty"` // of a bind that was rewritten
	Decision  string           `json:"decision"`             // allow, deny, audit, rewrite
	Reason    string           `json:"reason,omitempty"`
	// Errno is what the kernel said to a call that was allowed.
	Errno string `json:"errno,omitempty"`
}

// A record is what is known of one decision, before anybody asks for an Event.
type record struct {
	operation config.Operation
	protocol  config.Protocol
	at        netip.AddrPort
	dualStack bool
	bound     uint16 // the port of a rewritten bind
	decision  string // allow, deny, audit, rewrite
	reason    config.Reason
	errno     error // from the kernel, if the call was allowed

	program target.Program // where somebody will read it
	logged  bool           // a line of its own in the log
}

// refused reports whether the policy said no, or would have if it were enforced.
func (r *record) refused() bool { return r.decision == "deny" || r.decision == "audit" }

// event returns the Event of a record.
func (a *audit) event(tid uint32, r *record) Event {
	e := Event{
		Time: time.Now(), Container: inquiry.Printable(a.container),
		Namespace: inquiry.Printable(a.who.Namespace), Pod: inquiry.Printable(a.who.Pod),
		Name:    inquiry.Printable(a.who.Name),
		PID:     tid,
		Program: inquiry.Printable(r.program.Name), Exe: inquiry.Printable(r.program.Exe),
		Operation: r.operation, Decision: r.decision, BoundPort: r.bound,
		Reason: inquiry.Printable(r.reason.String()),
	}
	if r.program != (target.Program{}) && r.program.UID >= 0 {
		uid := r.program.UID // r is used again for the worker's next decision
		e.UID = &uid
	}
	if r.at.IsValid() {
		e.Protocol, e.Address, e.Port = r.protocol, r.at.Addr().String(), r.at.Port()
		e.DualStack = r.dualStack
	}
	if errno, ok := r.errno.(unix.Errno); ok {
		e.Errno = unix.ErrnoName(errno)
	}
	return e
}
