package agent

import (
	"net/netip"
	"sync/atomic"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/port-restricter/port-restricter/config"
)

// deniedPerSecond and deniedBurst bound how many refusals of one container are
// logged: a container can be refused as often as it likes, and must not fill the
// disk.
const deniedPerSecond, deniedBurst = 10, 50

// A record is what is logged of one decision.
type record struct {
	operation config.Operation
	protocol  config.Protocol
	at        netip.AddrPort
	bound     uint16 // the port of a rewritten bind
	decision  string // allow, deny, audit, rewrite
	reason    config.Reason
	errno     error // from the kernel, if the call was allowed
}

// An audit logs one line per decision: refusals as warnings, everything else at
// debug level.
type audit struct {
	log   *logrus.Entry
	limit *rate.Limiter
	// skipped counts the refusals that were not logged since the last one that was.
	skipped atomic.Int64
}

func newAudit(log *logrus.Entry) *audit {
	return &audit{log: log, limit: rate.NewLimiter(deniedPerSecond, deniedBurst)}
}

func (a *audit) write(tid uint32, r *record) {
	level := logrus.DebugLevel
	if r.decision == "deny" || r.decision == "audit" {
		level = logrus.WarnLevel
	}
	if !a.log.Logger.IsLevelEnabled(level) {
		return
	}
	if level == logrus.WarnLevel && !a.limit.Allow() {
		a.skipped.Add(1)
		return
	}
	fields := logrus.Fields{"pid": tid, "operation": r.operation, "decision": r.decision}
	if r.at.IsValid() {
		fields["address"], fields["port"] = r.at.Addr().String(), r.at.Port()
		fields["protocol"] = r.protocol
	}
	if r.bound != 0 {
		fields["bound_port"] = r.bound
	}
	if r.reason != (config.Reason{}) {
		fields["reason"] = r.reason.String()
	}
	if errno, ok := r.errno.(unix.Errno); ok {
		fields["errno"] = unix.ErrnoName(errno)
	}
	if skipped := a.skipped.Swap(0); skipped > 0 {
		fields["skipped"] = skipped
	}
	a.log.WithFields(fields).Log(level, string(r.operation)+" "+r.decision)
}
