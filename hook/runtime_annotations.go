package hook

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A weakening is what the annotations with a prefix do to the filter of their container.
type weakening struct{ prefix, effect string }

const (
	replacesFilter = "from it crun takes another seccomp filter, or another program to notify"
	leavesKernel   = "with it crun can run the program in a virtual machine, whose kernel does" +
		" not have the filter"
	notifiesCRIO = "with it CRI-O takes the notifications itself"
)

// weakenings are the annotations by which an OCI runtime or an engine replaces the seccomp
// profile, sends its notifications to another program, or runs the program of the container
// where the filter does not reach. runc and youki have none. An image can bring them, since
// podman copies the annotations of its manifest.
//
// Not here is module.wasm.image/variant of crun and youki: the WebAssembly engine runs in the
// container's process after the filter is loaded, so its binds are decided like all others.
var weakenings = []weakening{
	// crun's family, refused as a whole, so that its next member is refused as well:
	//   run.oci.seccomp_bpf_data, since 0.18, is a filter in place of the profile.
	//   run.oci.seccomp_bpf_file and _ebpf_file are the same in unreleased versions.
	//   run.oci.seccomp.plugins, since 0.15, notifies a library in place of listenerPath.
	//   run.oci.seccomp.receiver, since 0.15, is the socket to notify. listenerPath, since
	//   0.19, takes precedence.
	//   run.oci.seccomp_fail_unknown_syscall, since 0.11, weakens nothing.
	{"run.oci.seccomp", replacesFilter},
	// Since 0.15.1. krun is a virtual machine; other handlers can be libraries of the node.
	{"run.oci.handler", leavesKernel},
	// Settings of that virtual machine. krun.use_passt, since 1.27.1, starts a program before
	// the filter is loaded, which listens on all ports and connects them with the machine.
	{"krun.", leavesKernel},
	// With either key CRI-O sets a listenerPath of its own, and answers for its profile.
	{"io.kubernetes.cri-o.seccompNotifierAction", notifiesCRIO},
	{"seccomp-notifier-action.crio.io", notifiesCRIO},
}

// CheckAnnotations fails for an annotation of a restricted container because of which an OCI
// runtime would not load the filter, would notify another program, or would tell the agent
// other annotations. The error names it.
func CheckAnnotations(annotations map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		// runc keeps annotations as KEY=VALUE, and tells the agent the key up to the first =.
		if short, _, ok := strings.Cut(key, "="); ok {
			return fmt.Errorf("the key of the annotation %q has a =, and is %q to runc:"+
				" remove that annotation", key, short)
		}
		for _, w := range weakenings {
			if strings.HasPrefix(key, w.prefix) {
				return fmt.Errorf("the container has the annotation %s=%q: %s, so the container"+
					" would not be held to its ports; remove that annotation (it can come from"+
					" the image or from the pod)", key, shortened(annotations[key]), w.effect)
			}
		}
	}
	return nil
}

// shortened returns a value for an error: a filter can have many kilobytes.
func shortened(value string) string {
	const limit = 64
	if len(value) <= limit {
		return value
	}
	return value[:limit] + "…"
}
