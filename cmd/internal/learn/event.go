package learn

import "github.com/port-restricter/port-restricter/agent"

// An Event is one decision.
type Event = agent.Event
