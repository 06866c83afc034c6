package admission

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	authentication "k8s.io/api/authentication/v1"
	"k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const ready = "port-restricter.io/ready"

// An installer is a pod of the DaemonSet in deploy/kubernetes, or what an attacker has of it.
type installer struct {
	*rest.Config // with the token of the pod
}

// installerOn returns the installer of a node. A node "" stands for a token that is of no pod, as
// those of Kubernetes before 1.32 are: they name no node.
func installerOn(t *testing.T, name string) installer {
	t.Helper()
	admin := as(t, "admin")
	request := &authentication.TokenRequest{}
	if name != "" {
		p := pod{name: "installer-" + name, containers: []string{"install"}}.build()
		p.Spec.NodeName, p.Spec.ServiceAccountName = name, "node"
		p, err := admin.Pods("port-restricter").Create(t.Context(), p, meta.CreateOptions{})
		require.NoError(t, err)
		t.Cleanup(func() {
			_ = admin.Pods("port-restricter").Delete(context.Background(), p.Name,
				meta.DeleteOptions{GracePeriodSeconds: new(int64(0))})
		})
		request.Spec.BoundObjectRef = &authentication.BoundObjectReference{
			APIVersion: "v1", Kind: "Pod", Name: p.Name, UID: p.UID,
		}
	}
	token, err := admin.ServiceAccounts("port-restricter").CreateToken(t.Context(), "node", request,
		meta.CreateOptions{})
	require.NoError(t, err)
	settings, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	settings.QPS = -1
	settings.BearerToken, settings.Impersonate = token.Status.Token, rest.ImpersonationConfig{}
	return installer{settings}
}

// patches changes a Node.
func (i installer) patches(t *testing.T, name, text string) error {
	t.Helper()
	return i.tries(t, meta.PatchOptions{}, name, text)
}

// tries asks for a change of a Node.
func (i installer) tries(
	t *testing.T, options meta.PatchOptions, name, text string, way ...string,
) error {
	t.Helper()
	client, err := core.NewForConfig(i.Config)
	require.NoError(t, err)
	_, err = client.Nodes().Patch(t.Context(), name, types.MergePatchType, []byte(text), options,
		way...)
	return err
}

var dryPatch = meta.PatchOptions{DryRun: dryRun.DryRun}

// installLabel makes two nodes, and what deploy/kubernetes/node has about their label.
func installLabel(t *testing.T) {
	t.Helper()
	install(t)
	admin := as(t, "admin")
	for _, name := range []string{"node-a", "node-b"} {
		_, err := admin.Nodes().Create(t.Context(), &v1.Node{
			ObjectMeta: meta.ObjectMeta{Name: name, Labels: notes{"tier": "front"}},
		}, meta.CreateOptions{})
		require.NoError(t, err)
		t.Cleanup(func() {
			_ = admin.Nodes().Delete(context.Background(), name, meta.DeleteOptions{})
		})
	}
	for _, file := range []string{"rbac.yaml", "label-policy.yaml"} {
		kubectl(t, "apply", "-n", "port-restricter", "-f", "../../deploy/kubernetes/node/"+file)
	}
	attacker := installerOn(t, "")
	require.Eventually(t, func() bool {
		err := attacker.tries(t, dryPatch, "node-a", `{"metadata": {"labels": {"a": "b"}}}`)
		return err != nil && strings.Contains(err.Error(), "may change only")
	}, patience, patience/1000, "the policy is not in force")
}

// Who has the token of an installer may change one label of one node.
func TestTheInstallerChangesOneLabelOfItsNode(t *testing.T) {
	installLabel(t)
	const set, unset = `{"metadata": {"labels": {"` + ready + `": "true"}}}`,
		`{"metadata": {"labels": {"` + ready + `": null}}}`
	own, other := installerOn(t, "node-a"), installer{rest.CopyConfig(installerOn(t, "").Config)}
	other.BearerToken, other.Impersonate.UserName = "secret", "patcher"
	for name, text := range map[string]string{
		"another label":             `{"metadata": {"labels": {"a": "b"}}}`,
		"a label changed":           `{"metadata": {"labels": {"tier": "back"}}}`,
		"a label removed":           `{"metadata": {"labels": {"tier": null}}}`,
		"all labels":                `{"metadata": {"labels": null}}`,
		"a label of the prefix":     `{"metadata": {"labels": {"port-restricter.io/x": ""}}}`,
		"both":                      `{"metadata": {"labels": {"` + ready + `": "1", "a": ""}}}`,
		"an annotation":             `{"metadata": {"annotations": {"a": "b"}}}`,
		"a finalizer":               `{"metadata": {"finalizers": ["a.b/c"]}}`,
		"an owner":                  owned,
		"a taint":                   `{"spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}}`,
		"cordon":                    `{"spec": {"unschedulable": true}}`,
		"the addresses of its pods": `{"spec": {"podCIDR": "10.0.0.0/8"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, own.tries(t, dryPatch, "node-a", text),
				"may change only the label "+ready)
			require.NoError(t, other.tries(t, dryPatch, "node-a", text),
				"others with the right to patch nodes may")
		})
	}
	require.ErrorContains(t, own.tries(t, dryPatch, "node-a", set, "status"), "cannot patch")
	const node = "may change only the node on which it runs"
	require.ErrorContains(t, own.patches(t, "node-b", set), node)
	require.ErrorContains(t, installerOn(t, "").patches(t, "node-a", set), node)
	client, err := core.NewForConfig(own.Config)
	require.NoError(t, err)
	_, err = client.Nodes().Create(t.Context(), &v1.Node{ObjectMeta: meta.ObjectMeta{Name: "c"}},
		meta.CreateOptions{})
	require.ErrorContains(t, err, "cannot create")
	require.ErrorContains(t, client.Nodes().Delete(t.Context(), "node-a", meta.DeleteOptions{}),
		"cannot delete")

	require.NoError(t, own.patches(t, "node-a", set))
	require.Equal(t, notes{"tier": "front", ready: "true"}, labels(t, "node-a"))
	require.NoError(t, own.patches(t, "node-a", unset))
	require.Equal(t, notes{"tier": "front"}, labels(t, "node-a"))
}

// owned makes another Node the owner of a Node, which ends with it.
const owned = `{"metadata": {"ownerReferences": [
	{"apiVersion": "v1", "kind": "Node", "name": "node-b", "uid": "1"}]}}`

func labels(t *testing.T, name string) notes {
	t.Helper()
	n, err := as(t, "admin").Nodes().Get(t.Context(), name, meta.GetOptions{})
	require.NoError(t, err)
	return n.Labels
}

// An installer that fails takes the label away, by its own token and nothing else.
func TestAnInstallerThatFailsTakesTheLabelAway(t *testing.T) {
	installLabel(t)
	kubectl(t, "label", "node", "node-a", "node-b", ready+"=true")
	own := installerOn(t, "node-a")
	secrets := t.TempDir()
	write(filepath.Join(secrets, "token"), own.BearerToken)
	authority, err := os.ReadFile(own.CAFile)
	require.NoError(t, err)
	write(filepath.Join(secrets, "ca.crt"), string(authority))
	server, err := url.Parse(own.Host)
	require.NoError(t, err)
	run := func(name string) string {
		// A node without systemd.
		command := exec.Command("unshare", "--mount", "sh", "-ec", `
			mount -t tmpfs tmpfs /run
			where=/var/run/secrets/kubernetes.io/serviceaccount
			mkdir -p $where
			mount --bind "$1" $where
			exec "$2" install --host "$3" --tree ../../deploy/systemd --node "$4"`,
			"sh", secrets, "../../bin/port-restricter-node", t.TempDir(), name)
		command.Env = append(os.Environ(), "KUBERNETES_SERVICE_HOST="+server.Hostname(),
			"KUBERNETES_SERVICE_PORT="+server.Port())
		out, err := command.CombinedOutput()
		require.Error(t, err)
		return string(out)
	}
	require.NotContains(t, run("node-a"), "label node")
	require.NotContains(t, labels(t, "node-a"), ready)
	require.Contains(t, run("node-b"), "label node node-b: 422")
	require.Equal(t, "true", labels(t, "node-b")[ready])
}
