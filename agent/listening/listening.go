// Package listening finds out on what the processes of a container listen. It only reads, of
// processes that an attacker may own: no file that a process can make hang, and no more than a
// bounded number of processes, fds and sockets.
package listening

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/port-restricter/port-restricter/agent/target"
)

const (
	processLimit   = 1024
	fdLimit        = 16384 // of all processes together
	namespaceLimit = 16    // network namespaces
	socketLimit    = 65536 // of a protocol in a network namespace
)

// A Socket is one that a process listens on, or for UDP one that is bound and not connected.
type Socket struct {
	Protocol string     `json:"protocol"` // tcp, udp, udplite
	Address  netip.Addr `json:"address"`
	Port     uint16     `json:"port"`
	Program  string     `json:"program"` // the name of the process, which it chooses
	PID      int        `json:"pid"`     // of the first of the processes that have the socket
}

// A Report is what was found.
type Report struct {
	Sockets    []Socket `json:"sockets"`
	Incomplete []string `json:"incomplete,omitempty"` // why sockets may be missing
}

// A Root is a process whose descendants are the container's, too.
type Root struct {
	PID  int
	Home int // target.Home of the container, by which a reused PID is recognized
}

// A look gathers a Report.
type look struct {
	Report
	fds int // that may still be read
}

// Of returns on what a container listens now. It must be called by a goroutine that ends
// afterwards: see target.BecomeObserver.
func Of(roots []Root) (report Report) {
	l := look{fds: fdLimit, Report: Report{Sockets: []Socket{}}}
	defer func() {
		if fault := recover(); fault != nil { // it must not end the agent
			l.miss("a fault of port-restricter, please report it: %v", fault)
		}
		report = l.Report
	}()
	if err := target.BecomeObserver(); err != nil {
		l.miss("%v", err)
	}
	all, err := processesOf(roots)
	if err != nil {
		l.miss("%v", err)
	}
	if len(all) > processLimit {
		l.miss("only %d of %d processes were looked at", processLimit, len(all))
		all = all[:processLimit]
	}
	l.join(all, l.tables(all))
	slices.SortFunc(l.Sockets, func(a, b Socket) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port),
			a.Address.Compare(b.Address), cmp.Compare(a.PID, b.PID))
	})
	return l.Report
}

// miss says why sockets may be missing.
func (l *look) miss(format string, arguments ...any) {
	l.Incomplete = append(l.Incomplete, fmt.Sprintf(format, arguments...))
}
