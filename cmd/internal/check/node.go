package check

import (
	"slices"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook/engines"
)

// A Node says what to look at on a node.
type Node struct {
	Socket string // of the agent
	// Metadata, Runtime and Rules are those of the node's settings.
	Metadata, Runtime string
	Rules             config.Rules
	// Asked are the engines that must be configured. All others are looked at, too.
	Asked []string
	// Options returns the options that configure would have for an engine.
	Options func(engine string) (engines.Options, error)
}

// NRI is the name by which the plugin can be asked for, as an engine can.
const NRI = "nri"

// Look looks at all that a node needs to restrict containers.
func (n Node) Look() []Result {
	results := kernel()
	agentResult, listens := alive(n.Socket)
	var looked []engineState
	var found []Result
	runtimes := []string{}
	if n.Runtime != "" {
		runtimes = append(runtimes, n.Runtime)
	}
	for _, e := range known {
		asked := slices.Contains(n.Asked, e.name)
		o, err := n.Options(e.name)
		if err != nil {
			if asked {
				found = append(found, fail(e.name, "", "%v", err))
			}
			continue
		}
		state, result := e.look(o, asked)
		looked, found = append(looked, state), append(found, result)
		if plan := state.state.Plan; state.usable() && plan != nil && plan.OCIRuntime != "" {
			runtimes = append(runtimes, plan.OCIRuntime)
		}
	}
	found = append(found, annotations(looked)...)
	found = append(found, nri(slices.Contains(n.Asked, NRI)))
	results = append(results, ociRuntimes(runtimes)...)
	results = append(results, agentResult)
	if agentResult.Status == OK {
		results = append(results, n.wholeWay(listens), restart(listens))
	}
	results = append(results, found...)
	if agentResult.Status == OK {
		results = append(results, n.containers()...)
	}
	return results
}
