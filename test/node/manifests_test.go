package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/port-restricter/port-restricter/test/booted"
)

const manifests = "../../deploy/kubernetes"

// An object is one of Kubernetes.
type object = map[string]any

// objects returns the objects of a text, in an order of their own.
func objects(t *testing.T, text []byte) (all []object) {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if o != nil {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b object) int {
		return bytes.Compare([]byte(fmt.Sprint(a["kind"])), []byte(fmt.Sprint(b["kind"])))
	})
	return all
}

// render runs kustomize or helm.
func render(t *testing.T, tool string, args ...string) []object {
	t.Helper()
	out, err := exec.Command(tools+"/"+tool, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("%s %v: %s", tool, args, exit.Stderr)
	}
	require.NoError(t, err)
	return objects(t, out)
}

// The chart is made of the manifests, and says the same.
func TestTheChartSaysWhatTheManifestsSay(t *testing.T) {
	dir := t.TempDir()
	const image = "ghcr.io/port-restricter/node:latest"
	booted.Run(t, manifests+"/chart/make.sh", "v1.2.3", image, dir)
	chart := dir + "/port-restricter"
	for overlay, values := range map[string]string{
		"":                   "action=install",
		"/containerd":        "engine=containerd",
		"/crio":              "engine=crio",
		"/flatcar":           "prefix=/opt",
		"/flatcar-uninstall": "prefix=/opt,action=uninstall",
		"/uninstall":         "action=uninstall",
		"/uninstall-forced":  "action=uninstall-forced",
	} {
		want := render(t, "kustomize", "build", manifests+overlay)
		require.GreaterOrEqual(t, len(want), 8, overlay)
		got := render(t, "helm", "template", "port-restricter", chart, "--set", values)
		require.Equal(t, want, got, "%s and --set %s", overlay, values)
	}
	booted.Run(t, tools+"/helm", "lint", "--strict", chart)
	for _, wrong := range []string{"engine=docker", "action=remove", "prefix=opt", "tag=1"} {
		out, err := exec.Command(tools+"/helm", "template", chart, "--set", wrong).CombinedOutput()
		require.Error(t, err, "%s: %s", wrong, out)
	}
}

// field returns what keys and indexes lead to.
func field(value any, path ...any) any {
	for _, key := range path {
		switch key := key.(type) {
		case string:
			value, _ = value.(object)[key]
		case int:
			value = value.([]any)[key]
		}
	}
	return value
}

// shared are what a pod can have of the node, or a container of another one.
var shared = []string{"hostPID", "hostNetwork", "hostIPC", "shareProcessNamespace"}

// What an attacker finds in the pod that stays is nothing.
func TestOnlyTheInstallerHasTheNode(t *testing.T) {
	for _, overlay := range []string{"", "/containerd", "/crio", "/openshift", "/flatcar",
		"/flatcar-uninstall", "/uninstall", "/uninstall-forced"} {
		for _, o := range render(t, "kustomize", "build", manifests+overlay) {
			switch o["kind"] {
			case "DaemonSet":
				pod := field(o, "spec", "template", "spec").(object)
				require.Equal(t, false, pod["automountServiceAccountToken"])
				for _, key := range shared {
					require.NotContains(t, pod, key)
				}
				require.Len(t, pod["initContainers"], 1)
				require.Len(t, pod["containers"], 1)
				wait := field(pod, "containers", 0).(object)
				require.NotContains(t, wait, "volumeMounts")
				require.NotContains(t, wait, "env")
				require.Equal(t, true, field(wait, "securityContext", "runAsNonRoot"))
				for _, c := range []any{wait, field(pod, "initContainers", 0)} {
					context := field(c, "securityContext").(object)
					require.NotContains(t, context, "privileged")
					require.Equal(t, false, context["allowPrivilegeEscalation"])
					require.Equal(t, true, context["readOnlyRootFilesystem"])
					require.Equal(t, object{"drop": []any{"ALL"}}, context["capabilities"])
				}
			case "ClusterRole":
				require.Equal(t, []any{object{"apiGroups": []any{""}, "resources": []any{"nodes"},
					"verbs": []any{"patch"}}}, o["rules"])
			case "Role", "Secret":
				t.Errorf("%s%s has a %v", manifests, overlay, o["kind"])
			}
		}
	}
}
