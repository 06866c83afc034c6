package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fromPodman returns a container as podman before 4.6 describes it: it has the
// annotations of its image, except where podman sets the key itself.
func fromPodman(image map[string]string) Container {
	annotations := map[string]string{manager: "libpod"}
	for key, value := range image {
		annotations[key] = value
	}
	annotations[stopSignal] = "15"
	annotations["port-restricter.port"] = "5000" // said by the operator
	return Container{ID: strings.Repeat("9a", 32), Annotations: annotations}
}

// TestAnImageCantNameItsContainer shows that keys for a name count for nothing in a
// container of podman, whatever its image says of itself.
func TestAnImageCantNameItsContainer(t *testing.T) {
	for says, image := range map[string]map[string]string{
		"nothing":           {},
		"a name":            {nameCRIO: "web"},
		"containerd's name": {nameContainerd: "web"},
		"all of CRI-O's": {
			nameCRIO: "web", typeCRIO: "container", manager: "cri-o",
			idCRIO: strings.Repeat("00", 32),
		},
		"all of containerd's": {nameContainerd: "web", typeContainerd: "container"},
		"no manager":          {nameContainerd: "web", typeContainerd: "container", manager: ""},
		"no id":               {nameCRIO: "web", typeCRIO: "container", idCRIO: ""},
		"that it is a sandbox": {
			nameCRIO: "web", typeCRIO: "sandbox", nameContainerd: "web", typeContainerd: "sandbox",
		},
	} {
		c := fromPodman(with(image, map[string]string{
			"port-restricter.port/web": "1-65535", "port-restricter.mode/web": "audit",
		}))
		p, err := FromState(c, "port-restricter.port/web=1-65535", Rules{})
		require.NoError(t, err)
		require.Equal(t, "5000", p.String(), says)
		require.Len(t, p.Ignored(), 2, says)
		require.Contains(t, p.Ignored()[1], `"port-restricter.port/web" counts for nothing`)

		// Without its id, as in a config.json, it can't be told either.
		unknown := Container{Annotations: c.Annotations}
		p, err = FromState(unknown, "", Rules{})
		require.NoError(t, err)
		require.Equal(t, "5000", p.String(), says)

		for _, c := range []Container{c, unknown} {
			require.True(t, Held(c, "", Rules{}), says)
			delete(c.Annotations, "port-restricter.port")
			require.True(t, Held(c, "", Rules{}), "a key that may be for it: %s", says)
			_, err = FromState(c, "", Rules{})
			require.ErrorIs(t, err, ErrNoPolicy)
			require.ErrorContains(t, err, `"port-restricter.port/web" counts for nothing`)
		}
	}
}

// TestHeld shows which containers get the filter.
func TestHeld(t *testing.T) {
	id := strings.Repeat("5f", 32)
	crio := func(kind string, more map[string]string) Container {
		return Container{ID: id, Annotations: with(more, map[string]string{
			idCRIO: id, typeCRIO: kind, nameCRIO: map[string]string{"container": "web"}[kind],
		})}
	}
	containerd := func(kind string, more map[string]string) Container {
		return Container{Annotations: with(more, map[string]string{
			typeContainerd: kind, nameContainerd: map[string]string{"container": "web"}[kind],
		})}
	}
	const limit, limitWeb = "port-restricter.port=8000", "a note\nport-restricter.port/web=8000"
	type annotations = map[string]string
	for name, test := range map[string]struct {
		c        Container
		metadata string
		want     bool
	}{
		"nobody says anything":   {Container{}, "", false},
		"keys of other programs": {of(annotations{"x.port-restricter.port": "1"}), "a note", false},
		"an annotation":          {of(annotations{"port-restricter.port": "1"}), "", true},
		"an unknown key":         {of(annotations{"port-restricter.typo": "1"}), "", true},
		"a misspelt key":         {of(annotations{"port-restrictor.port": "1"}), "", true},
		"a key for a name, and no name": {
			of(annotations{"port-restricter.port/web": "1"}), "", true},
		"a key for a name that can't be trusted": {
			of(annotations{"port-restricter.port/web": "1", nameCRIO: "db"}), "", true},
		"a key for an empty name": {
			crio("container", annotations{"port-restricter.port/": "1"}), "", true},
		"a key for this container": {
			crio("container", annotations{"port-restricter.port/web": "1"}), "", true},
		"a key for another one": {
			crio("container", annotations{"port-restricter.port/db": "1"}), "", false},
		"containerd: another one": {
			containerd("container", annotations{"port-restricter.port/db": "1"}), "", false},
		"a key for another one, and names that disagree": {
			crio("container", annotations{"port-restricter.port/db": "1", nameContainerd: "x"}),
			"", true},
		"an annotated sandbox": {
			crio("sandbox", annotations{"port-restricter.port": "1"}), "", true},

		"metadata has ports":            {Container{}, limit, true},
		"for a container of CRI-O":      {crio("container", nil), limit, true},
		"for a container of containerd": {containerd("container", nil), limit, true},
		"for a container of podman":     {fromPodman(nil), limit, true},
		"not for a sandbox of CRI-O":    {crio("sandbox", nil), limit, false},
		"not for one of containerd":     {containerd("sandbox", nil), limit, false},
		"for an image that says it is a sandbox": {
			fromPodman(annotations{typeCRIO: "sandbox", typeContainerd: "sandbox"}), limit, true},
		"metadata has ports for a name": {crio("container", nil), limitWeb, true},
		"for another name": {
			crio("container", nil), "port-restricter.port/db=8000", false},
		"for a name, but it has none": {of(annotations{"other": "key"}), limitWeb, false},
		"for a name that it claims":   {of(annotations{nameCRIO: "web"}), limitWeb, true},
		"metadata has only a permission": {
			Container{}, "port-restricter.audit=allow", false},
		"metadata has a misspelt key": {Container{}, "port-restrictor.port=8000", true},
		"metadata has half a line":    {Container{}, "port-restricter.port", true},
		"wrong metadata, and a sandbox": {
			containerd("sandbox", nil), "port-restrictor.port=8000", false},
	} {
		require.Equal(t, test.want, Held(test.c, test.metadata, Rules{}), name)
	}
}

// TestIdentify shows who a container is by the states that engines were seen to send.
func TestIdentify(t *testing.T) {
	want := Identity{Namespace: "test", Pod: "pod", Name: "web"}
	files, err := filepath.Glob("testdata/states/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		c := recorded(t, file)
		who, err := Identify(c, "")
		require.NoError(t, err)
		require.Equal(t, want, who, file)
		// In another program's container these annotations count for nothing.
		who, err = Identify(fromPodman(c.Annotations), "port-restricter.name=db")
		require.NoError(t, err)
		require.Equal(t, Identity{Name: "db"}, who, file)
	}
}
