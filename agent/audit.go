package agent

import (
	"net/netip"
	"sync/atomic"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/port-restricter/port-restricter/config"
)

// deniedPerSecond is how many refusals a second of one container are logged: a
// container can be refused as often as it likes, and must not fill the disk.
const deniedPerSecond, deniedBurst = 10, 50

// A record is what the log tells of one decision.
type record struct {
	operation config.Operation
	protocol  config.Protocol
	at        netip.AddrPort
	decision  string // allow, deny, audit, rewrite
	reason    config.Reason
	errno     error // of the kernel, once allowed
}

// An audit writes one line a decision: refusals as warnings, what was allowed
// at debug level.
type audit struct {
	log   *logrus.Entry
	limit *rate.Limiter
	// skipped counts the refusals not logged since the last line.
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
		fields["address"], fields["port"], fields["protocol"] = r.at.Addr().String(), r.at.Port(), r.protocol
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
