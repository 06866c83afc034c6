package agent

// A container is what the sessions of one container share: one session for its first
// process, and another for each exec.
type container struct {
	number uint32 // which the agent and its successor know the container by

	// Guarded by Supervisor.mu:
	sessions int  // that are attached
	started  bool // one of its sessions was that of its first process

	// succeeded reports whether the agent ends since it has no helpers any more, and a successor
	// makes the calls that need one.
	succeeded func() bool
	// hasNeighbours reports whether the agent serves another container.
	hasNeighbours func() bool

	calls    inFlight
	helpers  helperPlaces
	pace     pace
	bound    boundSockets
	refusals *refusalLog
}

// A containerKey identifies a container. Its id does not suffice: another runtime, or
// another root directory of the same one, can have a container with the same id, and
// must not be charged for the calls of this one. The bundle is in the state that the
// runtime sends, also for an exec, and is not the container's choice.
type containerKey struct{ id, bundle string }
