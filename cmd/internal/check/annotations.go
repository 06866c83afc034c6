package check

import (
	"slices"
	"strings"

	"github.com/port-restricter/port-restricter/hook/engines"
)

// annotations says whether the annotations of pods reach the OCI runtime.
func annotations(looked []engineState) (results []Result) {
	const name = "annotations"
	for _, e := range looked {
		if !e.installed || !e.state.Written && !profileWritten(looked) {
			continue
		}
		switch e.name {
		case "crio":
			results = append(results, ok(name, "crio passes all of a pod's on"))
		case "containerd":
			results = append(results, containerdAnnotations(name, e, looked))
		}
	}
	return results
}

// containerdAnnotations says through which runtime handlers containerd passes annotations on. The
// one that configure writes always does. Others need it only for a profile.
func containerdAnnotations(name string, e engineState, looked []engineState) Result {
	passing, hiding, err := engines.Forwarding(e.defaults)
	if err != nil {
		return fail(name, "", "read which of them containerd passes on: %v", err)
	}
	if e.state.Written {
		passing = append([]string{engines.Handler}, passing...)
	}
	if len(passing) == 0 {
		passing = []string{"none"}
	}
	text := "containerd passes those of port-restricter on through its runtime handlers: " +
		strings.Join(passing, ", ")
	if len(hiding) > 0 && profileWritten(looked) {
		return warn(name, `set pod_annotations = ["port-restricter.*", "port-restricter.*/*"]`+
			" of the other handlers in containerd's configuration, or use the handler",
			"%s; a pod with the Localhost profile and another handler (%s) can bind nothing",
			text, strings.Join(hiding, ", "))
	}
	return ok(name, "%s", text)
}

func profileWritten(looked []engineState) bool {
	return slices.ContainsFunc(looked, func(e engineState) bool {
		return e.name == "kubelet" && e.state.Written
	})
}
