package admission

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What a pod declares becomes its annotations. What its author wrote stays, if it is no more.
func TestWhatIsDeclaredIsAnnotated(t *testing.T) {
	install(t)
	long := strings.Repeat("n", 63)
	for name, c := range map[string]struct {
		pod
		want notes
	}{
		"ports of each protocol": {
			pod{containers: []string{"web 8080,9090/UDP,9/SCTP"}},
			notes{key + "/web": "8080/tcp,9090/udp,9/sctp"},
		},
		"each kind of container": {
			pod{
				containers: []string{"web 8080", "helper"},
				init:       []string{"setup", "migrate 1"}, sidecars: []string{"proxy 15001"},
			},
			notes{
				key + "/web": "8080/tcp", key + "/helper": "none", key + "/setup": "none",
				key + "/migrate": "1/tcp", key + "/proxy": "15001/tcp",
			},
		},
		"the longest name": {pod{containers: []string{long + " 80"}},
			notes{key + "/" + long: "80/tcp"}},
		"as many as can be": {
			pod{containers: []string{
				"web " + many(1000, 1024, "TCP"), "b " + many(1, 1000, "UDP")}},
			notes{
				key + "/web": strings.ToLower(many(1000, 1024, "TCP")),
				key + "/b":   strings.ToLower(many(1, 1000, "UDP")),
			},
		},
		"annotations of others stay": {
			pod{notes: notes{"a/b": "c"}, containers: []string{"web 8080"}},
			notes{key + "/web": "8080/tcp", "a/b": "c"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.want[key], c.want["port-restricter.mode"] = "none", "enforce"
			requireNotes(t, c.pod, c.want)
		})
	}
}

// What a pod's author wrote stays, if it is no more than is declared.
func TestWhatIsLessStays(t *testing.T) {
	install(t)
	enforce := notes{key: "none", "port-restricter.mode": "enforce"}
	for name, c := range map[string]struct {
		pod
		more notes // what is added
	}{
		"a list, a range, an address": {pod{
			notes: notes{
				key + "/a": "8080/tcp", key + "/b": "8000-8003/tcp", key + "/c": "127.0.0.1:80/tcp",
				key + "/d": " none ", key + "/e": "[::1]:53/udp , *:53/tcp",
			},
			containers: []string{
				"a 8080,8081", "b 8000,8001,8002,8003", "c 80", "d 80", "e 53,53/UDP",
			},
		}, enforce},
		"one of two": {pod{
			notes: notes{key + "/a": "none"}, containers: []string{"a 80", "b 80"},
		}, notes{key: "none", "port-restricter.mode": "enforce", key + "/b": "80/tcp"}},
		"the plain key": {pod{notes: notes{key: "80/tcp"},
			containers: []string{"a 80", "b 80,81"}}, nil},
		"the plain key none": {pod{notes: notes{key: "none"}, containers: []string{"a 80"}}, nil},
		"another annotation": {pod{
			notes: notes{
				"port-restricter.map/a": "80:8080", "port-restricter.ephemeral": "deny",
				"port-restricter.mode/a": "enforce",
			},
			containers: []string{"a 8080"},
		}, notes{key: "none", "port-restricter.mode": "enforce", key + "/a": "8080/tcp"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := notes{}
			for _, from := range []notes{c.notes, c.more} {
				for k, v := range from {
					want[k] = v
				}
			}
			requireNotes(t, c.pod, want)
		})
	}
}

// requireNotes requires that a pod gets exactly these annotations and the one by which it requires
// the plugin, and goes to a node that holds it.
func requireNotes(t *testing.T, p pod, want notes) {
	t.Helper()
	created, err := as(t, "tenant").Pods("enforced").Create(t.Context(), p.build(), dryRun)
	require.NoError(t, err)
	want[required] = requiredPlugin
	require.Equal(t, want, created.Annotations)
	require.Equal(t, "true", created.Spec.NodeSelector["port-restricter.io/ready"])
}

// A pod whose annotations ask for more is refused in plain words. Without the label of its
// namespace each of them is accepted, with what it asks for.
func TestWhatIsMoreIsRefused(t *testing.T) {
	install(t)
	web := []string{"web 8080"}
	one := func(key, value string) pod { return pod{notes: notes{key: value}, containers: web} }
	for name, c := range map[string]struct {
		pod
		why string
	}{
		"another port": {one(key+"/web", "9090/tcp"), "the annotation port-restricter.port/web=" +
			"9090/tcp asks for more than the container web declares (8080/tcp): declare the port," +
			" or" +
			" ask for less"},
		"one more port":       {one(key+"/web", "8080/tcp,8081/tcp"), "asks for more"},
		"another protocol":    {one(key+"/web", "8080/udp"), "asks for more"},
		"every protocol":      {one(key+"/web", "8080"), "write it as in 8080/tcp"},
		"a wider range":       {one(key+"/web", "8080-8081/tcp"), "asks for more"},
		"every port":          {one(key+"/web", "1-65535"), "asks for more"},
		"the kernel's choice": {one(key+"/web", "0/tcp"), "asks for more"},
		"too big a number":    {one(key+"/web", "99999/tcp"), "asks for more"},
		"at every address":    {one(key+"/web", "[::]:1/tcp"), "asks for more"},
		"where it declares none": {
			pod{notes: notes{key + "/b": "1/tcp"}, containers: []string{"a 1", "b"}},
			"asks for more than the container b declares (none)",
		},
		"a port declared twice fills no gap": {
			pod{notes: notes{key + "/web": "8080-8082/tcp"},
				containers: []string{"web 8080,8080,8082"}},
			"asks for more",
		},
		"the plain key, for a container that declares nothing": {
			pod{notes: notes{key: "8080/tcp"}, containers: []string{"web 8080", "b"}},
			"or write port-restricter.port/CONTAINER for each container",
		},
		"the plain key, for containers of kubectl debug": {
			pod{notes: notes{key: "1-65535", key + "/web": "none"}, containers: web},
			"asks for more than the pod declares",
		},
		"a key for a container that may come later": {
			one(key+"/debugger", "22/tcp"),
			"port-restricter.port/debugger is for no container of the" +
				" pod that can declare ports: they are web",
		},
		"a map without ports": {one("port-restricter.map", "80:8080"),
			"write port-restricter.map/CONTAINER"},
		"the mode": {one("port-restricter.mode", "audit"),
			"port-restricter.mode can only be enforce here"},
		"the mode of one": {one("port-restricter.mode/web", "audit"),
			"port-restricter.mode/web can only be"},
		"an unknown key": {one("port-restricter.io_uring", "allow"),
			"port-restricter.io_uring is not known"},
		"the administrator's": {one("port-restricter.audit", "allow"), "is not known"},
		"a longer key":        {one("port-restricter.ports", "1"), "is not known"},
		"upper case": {one("Port-Restricter.port", "1"),
			"Port-Restricter.port is not known"},
		"upper case with name": {one("port-restricter.port/WEB", "1"), "is for no container"},
		"another separator":    {one("port_restricter.port", "1"), "is not known"},
		"what is no list": {one(key+"/web", "8080/tcp\n9090/tcp"),
			"port-restricter.port/web can't be compared"},
		"an empty list":     {one(key+"/web", ""), "can't be compared"},
		"none with a port":  {one(key+"/web", "none,1"), "can't be compared"},
		"a name for a port": {one(key+"/web", "http"), "can't be compared"},
		"a long list":       {one(key+"/web", many(1, 65, "tcp")), "can't be compared"},
		"a very long list": {one(key+"/web", strings.Repeat("8080/tcp,", 20000)+"1"),
			"can't be compared"},
		"a sandbox that its containers see": {pod{shares: true, containers: web},
			"shareProcessNamespace is not possible here"},
		"too many annotations": {pod{notes: manyNotes(1001), containers: web},
			"more than 1000 annotations"},
		"too many ports": {
			pod{containers: []string{"web " + many(1, 1025, "TCP")}}, "more than 1024 ports",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := as(t, "tenant").Pods("enforced").Create(t.Context(), c.build(), dryRun)
			require.ErrorContains(t, err, c.why)
			free, err := as(t, "tenant").Pods("free").Create(t.Context(), c.build(), dryRun)
			require.NoError(t, err)
			require.Equal(t, c.notes, free.Annotations)
		})
	}
}

// patch changes annotations by a way.
func patch(t *testing.T, namespace, text string, way ...string) error {
	t.Helper()
	_, err := as(t, "tenant").Pods(namespace).Patch(t.Context(), "web", types.MergePatchType,
		[]byte(text), meta.PatchOptions{}, way...)
	return err
}

// refusedIn returns what requires that an act is refused for a reason, except in namespace free.
func refusedIn(t *testing.T, namespace string) func(what string, err error, why string) {
	return func(what string, err error, why string) {
		t.Helper()
		if namespace == "free" {
			require.NoError(t, err, what)
		} else {
			require.ErrorContains(t, err, why, what)
		}
	}
}

// A running pod's annotations are no way around, however they are written.
func TestAnnotationsOfARunningPodAreHeld(t *testing.T) {
	install(t)
	tenant := as(t, "tenant")
	for _, namespace := range []string{"enforced", "free"} {
		p := pod{name: "web", containers: []string{"web 8080"}}
		require.NoError(t, create(t, namespace, p))
		refused := refusedIn(t, namespace)
		const more = `{"metadata": {"annotations": {"port-restricter.port/web": "1-65535"}}}`
		refused("a change", patch(t, namespace, more), "asks for more")
		refused("by the status", patch(t, namespace, more, "status"), "asks for more")
		refused("an added key", patch(t, namespace,
			`{"metadata": {"annotations": {"port-restricter.port/x": ""}}}`), "is for no container")
		refused("a mode", patch(t, namespace,
			`{"metadata": {"annotations": {"port-restricter.mode": "audit"}}}`),
			"can only be enforce")
		refused("a removal", patch(t, namespace,
			`{"metadata": {"annotations": {"port-restricter.port": null}}}`),
			"port-restricter.port is missing")
		require.NoError(t, patch(t, namespace,
			`{"metadata": {"annotations": {"port-restricter.port/web": null, "a": "b"}}}`),
			"the plain key has none, which is less")
		refused("a Binding", tenant.Pods(namespace).Bind(t.Context(), &v1.Binding{
			ObjectMeta: meta.ObjectMeta{Name: "web", Annotations: notes{key + "/web": "1-65535"}},
			Target:     v1.ObjectReference{Kind: "Node", Name: "node"},
		}, meta.CreateOptions{}), "a Binding can't change the annotations of port-restricter,")
	}
	bound, err := tenant.Pods("free").Get(t.Context(), "web", meta.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "1-65535", bound.Annotations[key+"/web"], "a Binding does change them")
}

// create creates a pod that is deleted after the test.
func create(t *testing.T, namespace string, p pod) error {
	t.Helper()
	_, err := as(t, "tenant").Pods(namespace).Create(t.Context(), p.build(), meta.CreateOptions{})
	t.Cleanup(func() {
		// That of the test has ended.
		_ = as(t, "admin").Pods(namespace).Delete(context.Background(), p.build().Name,
			meta.DeleteOptions{GracePeriodSeconds: new(int64(0))})
	})
	return err
}

// A container of kubectl debug declares nothing, and may bind what the plain key has: none.
func TestAContainerOfKubectlDebugIsHeld(t *testing.T) {
	install(t)
	debug := func(namespace string, more notes) (*v1.Pod, error) {
		pods := as(t, "tenant").Pods(namespace)
		now, err := pods.Get(t.Context(), "web", meta.GetOptions{})
		require.NoError(t, err)
		for k, v := range more {
			now.Annotations[k] = v
		}
		now.Spec.EphemeralContainers = append(now.Spec.EphemeralContainers, v1.EphemeralContainer{
			EphemeralContainerCommon: v1.EphemeralContainerCommon{Name: "debugger", Image: "image"},
		})
		return pods.UpdateEphemeralContainers(t.Context(), "web", now, meta.UpdateOptions{})
	}
	require.NoError(t, create(t, "enforced", pod{name: "web", containers: []string{"web 8080"}}))
	now, err := debug("enforced", notes{key + "/debugger": "1-65535"})
	require.NoError(t, err)
	require.NotContains(t, now.Annotations, key+"/debugger", "kube-apiserver ignores them there")
	require.Equal(t, "none", now.Annotations[key])

	// A pod from before the label has no key that would hold the container.
	require.NoError(t, create(t, "later", pod{name: "web", containers: []string{"web 8080"}}))
	kubectl(t, "label", "namespace", "later", "port-restricter.io/declared=enforce")
	require.Eventually(t, func() bool {
		_, err = debug("later", nil)
		return err != nil
	}, patience, patience/1000)
	require.ErrorContains(t, err, "port-restricter.port is missing")
	require.NoError(t, patch(t, "later", `{"metadata": {"annotations": {"x": "y"}}}`),
		"other changes of such a pod are nobody's business")
	require.NoError(t, patch(t, "later", `{"metadata": {"annotations": {"`+key+`": "none"}}}`))
	_, err = debug("later", nil)
	require.NoError(t, err)
}

// The kubelet may tell of its static pods. A tenant can't pass a pod off as one of them.
func TestTheMirrorOfAStaticPod(t *testing.T) {
	install(t)
	mirror := pod{name: "static", notes: notes{
		"kubernetes.io/config.mirror": "hash", key: "1-65535",
	}, containers: []string{"web"}}.build()
	mirror.Spec.NodeName = "node"
	mirror.OwnerReferences = []meta.OwnerReference{{
		APIVersion: "v1", Kind: "Node", Name: "node", UID: "uid", Controller: new(true),
	}}
	kubelet := as(t, "system:node:node", "system:nodes", "system:authenticated")
	told, err := kubelet.Pods("enforced").Create(t.Context(), mirror, dryRun)
	require.NoError(t, err)
	require.Equal(t, mirror.Annotations, told.Annotations)
	_, err = as(t, "tenant").Pods("enforced").Create(t.Context(), mirror, dryRun)
	require.ErrorContains(t, err, "asks for more")
}
