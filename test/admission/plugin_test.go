package admission

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/api/core/v1"
)

// required is the annotation by which NRI creates no container of a pod without a plugin, and
// requiredPlugin its value.
const (
	required       = "required-plugins.noderesource.dev"
	requiredPlugin = `["port-restricter"]`
)

// A pod may require more plugins than ours.
func TestAPodMayRequireMorePlugins(t *testing.T) {
	install(t)
	lists := []string{`["other", "port-restricter"]`, `["port-restricter","10-a.b_c"]`}
	for _, list := range lists {
		for _, key := range []string{required, required + "/pod", required + "/container.web"} {
			p := pod{notes: notes{key: list}, containers: []string{"web 8080"}}
			created, err := as(t, "tenant").Pods("enforced").Create(t.Context(), p.build(), dryRun)
			require.NoError(t, err)
			require.Equal(t, list, created.Annotations[key])
			require.Contains(t, created.Annotations[required], "port-restricter")
		}
	}
}

// A pod can't do without the plugin, by any key that NRI reads. Without the label of its namespace,
// each of these is accepted.
func TestAPodCantDoWithoutThePlugin(t *testing.T) {
	install(t)
	const lacks, tolerates = " must have port-restricter in its list", " is not possible here"
	for key, c := range map[string]struct {
		values []string
		why    string
	}{
		required:                         {notOurs, lacks},
		required + "/pod":                {notOurs, lacks},
		required + "/container.web":      {notOurs, lacks},
		required + "/container.debugger": {notOurs, lacks}, // which kubectl debug may add
		"tolerate-missing-nri-plugins.noderesource.dev":       {[]string{"true"}, tolerates},
		"tolerate-missing-plugins.noderesource.dev/pod":       {[]string{"1"}, tolerates},
		"tolerate-missing-plugins.example.com/container.web2": {[]string{"t"}, tolerates},
	} {
		for _, value := range c.values {
			t.Run(fmt.Sprintf("%s=%s", key, value), func(t *testing.T) {
				p := pod{notes: notes{key: value}, containers: []string{"web 8080"}}
				_, err := as(t, "tenant").Pods("enforced").Create(t.Context(), p.build(), dryRun)
				require.ErrorContains(t, err, "the annotation "+key+c.why)
				_, err = as(t, "tenant").Pods("free").Create(t.Context(), p.build(), dryRun)
				require.NoError(t, err)
			})
		}
	}
}

// notOurs are lists without our plugin, and what NRI could read in another way than the policy.
var notOurs = []string{
	``, `[]`, `null`, `["other"]`, `[port-restricter]`, `["port-restricter2"]`,
	`["xport-restricter"]`, `"port-restricter"`, `["other", 'port-restricter']`,
	`["other"] # "port-restricter"]`, `["a\", "port-restricter"]`,
	"[\"other\"]\n--- [\"port-restricter\"]", "[\"port-restricter\"]\n---\n[]",
}

// What a running pod requires stays: the kubelet may make its sandbox again.
func TestWhatARunningPodRequiresStays(t *testing.T) {
	install(t)
	for _, namespace := range []string{"enforced", "free"} {
		p := pod{name: "web", containers: []string{"web 8080"}}
		if namespace == "free" {
			p.notes = notes{required: requiredPlugin}
		}
		require.NoError(t, create(t, namespace, p))
		refused := refusedIn(t, namespace)
		set := func(key, value string) string {
			return fmt.Sprintf(`{"metadata": {"annotations": {%q: %s}}}`, key, value)
		}
		for _, way := range [][]string{nil, {"status"}} {
			refused("a change", patch(t, namespace, set(required, `"[]"`), way...), "must have")
			refused("another key", patch(t, namespace, set(required+"/container.web", `"[]"`),
				way...), "must have")
			refused("a toleration", patch(t, namespace,
				set("tolerate-missing-plugins.noderesource.dev", `"true"`), way...),
				"is not possible here")
			refused("a removal", patch(t, namespace, set(required, "null"), way...), "is missing")
			require.NoError(t, patch(t, namespace, set("a", `"b"`), way...))
		}
		binding := v1.Binding{Target: v1.ObjectReference{Kind: "Node", Name: "node"}}
		binding.Name = "web"
		for _, key := range []string{
			required, required + "/pod", "tolerate-missing-plugins.noderesource.dev",
		} {
			binding.Annotations = notes{key: "[]"}
			refused("a Binding", as(t, "tenant").Pods(namespace).Bind(t.Context(), &binding,
				dryRun), "a Binding can't change the annotations")
		}
	}
	// A pod from before the policies is left alone.
	require.NoError(t, create(t, "before", pod{name: "web", containers: []string{"web 8080"}}))
	kubectl(t, "label", "namespace", "before", "port-restricter.io/declared=enforce")
	require.Eventually(t, func() bool {
		return patch(t, "before", `{"metadata": {"annotations": {"`+key+`": "1"}}}`) != nil
	}, patience, patience/1000)
	require.NoError(t, patch(t, "before", `{"metadata": {"annotations": {"a": "b"}}}`))
}

// Where the runtime handler puts in the filter, no plugin is required: there may be none.
func TestWithTheRuntimeClassNoPluginIsRequired(t *testing.T) {
	install(t)
	t.Cleanup(func() { installed = false })
	const declared = "../../deploy/kubernetes/declared"
	dir := t.TempDir()
	absolute, err := filepath.Abs(declared)
	require.NoError(t, err)
	relative, err := filepath.Rel(dir, absolute)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), fmt.Appendf(nil,
		"resources: [%s]\ncomponents: [%s/runtime-class]\n", relative, relative), 0o644))
	require.NotContains(t, kubectl(t, "kustomize", dir), required+`"`)
	kubectl(t, "apply", "-k", "../../deploy/kubernetes/runtimeclass")
	kubectl(t, "apply", "-k", dir)
	t.Cleanup(func() { kubectl(t, "delete", "-f", declared+"/runtime-class/runtime-class.yaml") })
	// docs/admission.md says so, for a cluster that had declared without the component.
	kubectl(t, "delete", "-f", declared+"/required-plugin.yaml")

	require.Eventually(t, func() bool {
		p := pod{containers: []string{"web 8080"}}
		created, err := as(t, "tenant").Pods("enforced").Create(t.Context(), p.build(), dryRun)
		return err == nil && created.Annotations[key+"/web"] == "8080/tcp" &&
			created.Annotations[required] == "" && created.Spec.RuntimeClassName != nil &&
			*created.Spec.RuntimeClassName == "port-restricter"
	}, patience, patience/1000)
}
