package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The store of these tests has a pod of podman kube play, mypod, and a container of podman run.
var inStore = []string{"0123456789ab-infra", "mypod-web", "mypod-a-web", "alone", "pod-other"}

func TestAKeyMeansAContainerOfPodmanByItsNameOrItsNameInThePod(t *testing.T) {
	for name, c := range map[string]struct {
		container, prefix string
		keys              []string
		want              string
	}{
		"the name in the pod":       {"mypod-web", "mypod-", []string{"web"}, "web"},
		"podman's name":             {"mypod-web", "mypod-", []string{"mypod-web"}, "mypod-web"},
		"another one's":             {"mypod-web", "mypod-", []string{"a-web"}, "mypod-web"},
		"another one's, as an end":  {"mypod-a-web", "mypod-", []string{"web"}, "mypod-a-web"},
		"its own and another one's": {"mypod-a-web", "mypod-", []string{"web", "a-web"}, "a-web"},
		"the pod's name is unknown": {"mypod-web", "", []string{"web"}, "web"},
		"a container without a pod": {"alone", "", []string{"alone"}, "alone"},
		"a key for none but others": {"alone", "", []string{"web"}, "alone"},
		"no key":                    {"alone", "", nil, "alone"},
		"the infra container":       {inStore[0], "", []string{"web"}, inStore[0]},
	} {
		p := PodmanNames{Container: c.container, Prefix: c.prefix, All: inStore}
		annotations, lines := map[string]string{}, []string(nil)
		for _, key := range c.keys {
			annotations[AnnotationPort+"/"+key] = "5000"
			lines = append(lines, AnnotationPort+"/"+key)
		}
		got, err := p.Choose(annotations, nil)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
		got, err = p.Choose(nil, lines)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, "%s, in the metadata", name)
	}
}

// Podman before 4.6 can't tell which of two keys an image brought, and an image can guess names.
func TestAKeyForANameOfPodmanTakesNoPrecedence(t *testing.T) {
	web := PodmanNames{Container: "mypod-web", Prefix: "mypod-", All: inStore}
	for says, annotations := range map[string]map[string]string{
		"port-restricter.port and port-restricter.port/web are both for the container mypod-web": {
			"port-restricter.port": "5000", "port-restricter.port/web": "1-65535"},
		"port-restricter.port and port-restricter.port/mypod-web are both": {
			"port-restricter.port": "5000", "port-restricter.port/mypod-web": "1-65535"},
		"port-restricter.port/mypod-web and port-restricter.port/web are both": {
			"port-restricter.port/web": "5000", "port-restricter.port/mypod-web": "1-65535"},
		"port-restricter.port/wbe: podman has no container of that name; the name of this one is" +
			" mypod-web": {"port-restricter.port": "5000", "port-restricter.port/wbe": "1-65535"},
		"port-restricter.port/other: podman has no container of that name": {
			"port-restricter.port/other": "5000"}, // the name ends so in another pod
		"port-restricter.port/web/db: podman has no container of that name": {
			"port-restricter.port/web/db": "5000"},
	} {
		_, err := web.Choose(annotations, nil)
		require.ErrorContains(t, err, says)
	}
}

// TestTheInjectionTellsTheAgentTheName shows that the line in the metadata names a container that
// no engine of Kubernetes has named, and counts for nothing elsewhere.
func TestTheInjectionTellsTheAgentTheName(t *testing.T) {
	c := of(map[string]string{
		"port-restricter.port/web": "5000", "port-restricter.port/db": "5432",
	})
	for _, before := range []string{"", "a note", "port-restricter.port=1-65535\n"} {
		metadata := WithName(WithName(before, Identity{Name: "db"}), Identity{Name: "web"})
		p, err := FromState(c, metadata, Rules{})
		require.NoError(t, err)
		require.Contains(t, p.String(), "5000")
		require.NotContains(t, p.String(), "5432")
		require.Empty(t, p.Ignored())
		require.Equal(t, metadata, WithName(metadata, Identity{Name: "web"}))
	}

	c.Annotations[typeContainerd], c.Annotations[nameContainerd] = "container", "db"
	p, err := FromState(c, WithName("", Identity{Name: "web"}), Rules{})
	require.NoError(t, err)
	require.Equal(t, "5432", p.String())

	_, err = FromState(of(map[string]string{AnnotationName: "web"}), "", Rules{})
	require.ErrorContains(t, err, "leave it out")
	require.False(t, Held(Container{}, WithName("", Identity{Name: "web"}), Rules{}))
}
