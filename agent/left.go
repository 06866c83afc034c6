package agent

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fdstore"
	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/config"
)

// A leftRecord is a record of the agent before. err says why all binds must be refused.
type leftRecord struct {
	kept    handover.Kept
	record  handover.Record
	unknown bool // record stands for one that can't be read
	policy  config.Policy
	err     error
}

// readRecord reads what the agent before has written of a session.
func (s *Supervisor) readRecord(kept handover.Kept) leftRecord {
	record, err := kept.Record()
	if err != nil {
		return leftRecord{
			kept: kept, record: unknown(nameOf(kept.Session)), unknown: true, err: err,
		}
	}
	policy, err := s.policyBy(s.policy.Load(), stateOf(record))
	return leftRecord{kept: kept, record: record, policy: policy, err: err}
}

// unknown is the record of a session that has none.
func unknown(name string) handover.Record {
	return handover.Record{Container: "unknown", Bundle: "session " + name}
}

// stateOf returns the state from which a record was made, as far as a policy depends on it.
func stateOf(r handover.Record) *specs.ContainerProcessState {
	return &specs.ContainerProcessState{
		Pid: r.Pid, Metadata: r.Metadata,
		State: specs.State{ID: r.Container, Bundle: r.Bundle, Annotations: r.Annotations},
	}
}

// errEnded means that no process is left that could notify.
var errEnded = errors.New("its last process has ended")

// A leftFD is a stored fd. err says why it can't be served.
type leftFD struct {
	name     string
	number   int
	notifier notifyFD
	err      error
}

// inspect finds out whether a stored fd can be served.
func inspect(fd fdstore.FD) leftFD {
	notifier, err := newNotifyFD(fd.FD)
	poll := []unix.PollFd{{Fd: int32(fd.FD)}}
	if n, pollErr := unix.Poll(poll, 0); err == nil && pollErr == nil && n == 1 &&
		poll[0].Revents&unix.POLLHUP != 0 {
		err = errEnded
	}
	return leftFD{fd.Name, fd.FD, notifier, err}
}

// inParallel calls do for each number below n.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range processors {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	all.Wait()
}
