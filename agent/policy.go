package agent

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

// A PolicyFunc returns what a container may bind.
type PolicyFunc func(*specs.ContainerProcessState) (config.Policy, error)

// SetPolicy gives every container, also those that are attached, the policy that a function
// returns: the administrator's rules have changed. A call that is being decided is still decided
// by the policy before. It returns how many containers have another policy now.
//
// The function gets, of the state of a container that is attached, what a policy depends on.
func (s *Supervisor) SetPolicy(policy PolicyFunc) (changed int) {
	s.policy.Store(&policy)
	s.mu.Lock()
	sessions := make([]*session, 0, len(s.sessions))
	for _, sess := range s.sessions {
		sessions = append(sessions, sess)
	}
	s.mu.Unlock()
	for _, sess := range sessions {
		before := sess.policy.Load()
		s.renew(sess)
		after := sess.policy.Load()
		if before.String() == after.String() {
			continue
		}
		log := s.log.WithFields(logrus.Fields{
			"container": sess.key.id, "policy": inquiry.Printable(after.String()),
			"before": inquiry.Printable(before.String()),
		})
		if sess.record.Exec {
			log.Debug("the policy of another process of the container (exec) is another one")
		} else {
			log.Info("the policy is another one")
			changed++
		}
	}
	return changed
}

// renew gives a session the policy of the function that is set now, which can change meanwhile.
func (s *Supervisor) renew(sess *session) {
	for !sess.unknown {
		used := s.policy.Load()
		policy, err := s.policyBy(used, stateOf(sess.record))
		if err != nil {
			policy = refuseAll(s.log.WithField("container", sess.key.id), logrus.WarnLevel, err)
		}
		sess.policy.Store(&policy)
		if s.policy.Load() == used {
			return
		}
	}
}

// refuseAll returns the policy of a container that has no valid one, and logs why. The reason
// quotes what the container's author wrote, which can be long.
func refuseAll(log *logrus.Entry, level logrus.Level, err error) config.Policy {
	reason := inquiry.Printable(err.Error())
	log.WithField("reason", reason).Log(level, "every bind will be refused")
	return config.DenyAll(reason)
}

// policyBy returns what a container may bind, by a function.
func (s *Supervisor) policyBy(
	policy *PolicyFunc, state *specs.ContainerProcessState,
) (p config.Policy, err error) {
	defer catch(s.log.WithField("container", state.State.ID), &err)
	return (*policy)(state)
}
