package hook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
)

var (
	webID, infraID    = strings.Repeat("5a", 32), strings.Repeat("0f", 32)
	podOfWeb, otherID = strings.Repeat("ab", 32), strings.Repeat("77", 32)
)

// fromPodman returns the spec of a container in a pod of podman kube play, and the directory of a
// store which has that container.
func fromPodman(t *testing.T) (spec *specs.Spec, store string) {
	t.Helper()
	store = t.TempDir()
	containers := filepath.Join(store, "overlay-containers")
	write := func(path string, content any) {
		text, err := json.Marshal(content)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
	write(filepath.Join(containers, "containers.json"), []stored{
		{ID: infraID, Names: []string{podOfWeb[:12] + "-infra"}},
		{ID: webID, Names: []string{"mypod-web"}},
	})
	write(filepath.Join(containers, infraID, "userdata/config.json"), specs.Spec{Hostname: "mypod"})
	run := "/run/containers/storage/overlay-containers/"
	return &specs.Spec{
		Root: &specs.Root{Path: filepath.Join(store, "overlay/layer/merged")},
		Linux: &specs.Linux{
			CgroupsPath: "machine-libpod_pod_" + podOfWeb + ".slice:libpod:" + webID,
		},
		Mounts: []specs.Mount{
			{Destination: "/etc/hosts", Source: run + webID + "/userdata/hosts"},
			{Destination: "/dev/shm", Source: containers + "/" + infraID + "/userdata/shm"},
			{Destination: "/run/.containerenv", Source: run + webID + "/userdata/.containerenv"},
		},
		Annotations: map[string]string{
			"port-restricter.port/web": "5000", "io.container.manager": "libpod",
		},
	}, store
}

func TestThePodmanStoreNamesAContainer(t *testing.T) {
	want := config.PodmanNames{
		Container: "mypod-web", Prefix: "mypod-",
		All: []string{podOfWeb[:12] + "-infra", "mypod-web"},
	}
	for name, edit := range map[string]func(spec *specs.Spec, store string){
		"cgroups by systemd": func(*specs.Spec, string) {},
		"cgroups by podman": func(spec *specs.Spec, _ string) {
			spec.Linux.CgroupsPath = "/libpod_parent/" + podOfWeb + "/libpod-" + webID
		},
		"a container that does not outlast podman": func(_ *specs.Spec, store string) {
			dir := filepath.Join(store, "overlay-containers")
			require.NoError(t, os.Rename(dir+"/containers.json", dir+"/volatile-containers.json"))
		},
		"an image that has a file of the name": func(spec *specs.Spec, _ string) {
			forged := filepath.Join(spec.Root.Path, "overlay-containers/containers.json")
			require.NoError(t, os.MkdirAll(filepath.Dir(forged), 0o755))
			text := `[{"id":"` + webID + `","names":["db"]}]`
			require.NoError(t, os.WriteFile(forged, []byte(text), 0o600))
		},
		"an image that has a volume over podman's file": func(spec *specs.Spec, store string) {
			spec.Mounts[0].Source = filepath.Join(store, "volumes", otherID, "_data")
		},
	} {
		spec, store := fromPodman(t)
		edit(spec, store)
		got, err := podmanNames(spec, containerOf(spec).ID)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}

	spec, _ := fromPodman(t)
	spec.Root.Path = "/srv/rootfs" // podman run --rootfs
	named, err := podmanNames(spec, webID)
	require.NoError(t, err)
	require.Equal(t, "mypod-web", named.Container)

	spec, _ = fromPodman(t)
	spec.Linux.CgroupsPath = ""
	got, err := podmanNames(spec, "")
	require.NoError(t, err)
	require.Empty(t, got.Prefix, "without cgroups the pod is unknown")
}

// Who has no name that can be trusted is refused, if a key is for a name.
func TestAContainerWithoutAKnownNameIsRefusedForAKeyOfAName(t *testing.T) {
	for says, edit := range map[string]func(spec *specs.Spec, store string){
		"podman did not make it": func(spec *specs.Spec, _ string) {
			spec.Mounts = nil
			delete(spec.Annotations, "io.container.manager")
		},
		"has no name of container " + webID: func(spec *specs.Spec, _ string) {
			spec.Root.Path = "/srv/rootfs"
			spec.Mounts[1].Source = "/dev/shm" // --ipc=host
		},
		"belong to two containers": func(spec *specs.Spec, _ string) {
			spec.Mounts[0].Source = strings.Replace(spec.Mounts[0].Source, webID, otherID, 1)
		},
		"(podman did not make it)": func(spec *specs.Spec, _ string) {
			spec.Linux.CgroupsPath = "/libpod-" + otherID
			delete(spec.Annotations, "io.container.manager")
		},
		"has no name of container": func(_ *specs.Spec, store string) {
			path := filepath.Join(store, "overlay-containers/containers.json")
			text := `[{"id":"` + infraID + `","names":["web"]}]`
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		},
		"unexpected EOF": func(_ *specs.Spec, store string) {
			path := filepath.Join(store, "overlay-containers/containers.json")
			require.NoError(t, os.WriteFile(path, []byte(`[`), 0o600))
		},
	} {
		spec, store := fromPodman(t)
		edit(spec, store)
		text, err := json.Marshal(spec)
		require.NoError(t, err)
		_, err = Inject(text, options)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "annotation port-restricter.port/web")
		require.ErrorContains(t, err, "write port-restricter.port")
	}
}

// The agent can't read podman's store, so the injection tells it the names: podman's own one too,
// by which a rule can come later.
func TestTheFilterOfANamedContainerHasTheName(t *testing.T) {
	const names = "port-restricter.name=web\nport-restricter.name-in-podman=mypod-web"
	spec, _ := fromPodman(t)
	for _, c := range []struct{ profile, options, want string }{
		{"", "", names},
		{"", "a note", "a note\n" + names},
		{"a note", "", "a note\n" + names},
		{"a note", "a note", "a note\n" + names},
	} {
		spec.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, ListenerMetadata: c.profile,
		}
		text, err := json.Marshal(spec)
		require.NoError(t, err)
		o := options
		o.ListenerMetadata = c.options
		after, err := Inject(text, o)
		require.NoError(t, err)
		require.NotEqual(t, string(text), string(after))
		var edited specs.Spec
		require.NoError(t, json.Unmarshal(after, &edited))
		require.Equal(t, c.want, edited.Linux.Seccomp.ListenerMetadata)
		again, err := Inject(after, o)
		require.NoError(t, err)
		require.Equal(t, string(after), string(again))
	}

	spec.Annotations = map[string]string{
		"port-restricter.port/" + podOfWeb[:12] + "-infra": "5000",
	}
	text, err := json.Marshal(spec)
	require.NoError(t, err)
	after, err := Inject(text, options)
	require.NoError(t, err)
	require.Equal(t, string(text), string(after), "the key is for another container of the pod")
}

// An ordinary user who owns a directory above a root directory must not name its container.
func TestAStoreOfAnotherUserNamesNobody(t *testing.T) {
	spec, store := fromPodman(t)
	path := filepath.Join(store, "overlay-containers/containers.json")
	require.NoError(t, os.Chown(path, 4321, 0))
	_, err := podmanNames(spec, webID)
	require.ErrorContains(t, err, "belongs to user 4321")
}

// An image whose volumes take the places of podman's mounts escapes neither a rule nor a key for
// its name.
func TestAnImageCantHideItsName(t *testing.T) {
	spec, store := fromPodman(t)
	spec.Mounts = nil
	for _, destination := range append([]string{"/dev/shm"}, ownMounts...) {
		spec.Mounts = append(spec.Mounts, specs.Mount{
			Destination: destination, Source: filepath.Join(store, "volumes", otherID, "_data"),
		})
	}
	spec.Annotations = map[string]string{"org.opencontainers.image.stopSignal": "15"}
	_, err := Inject(textOf(t, spec), withRules(t,
		config.RuleText{Container: new("mypod-web"), Default: new("none")},
		config.RuleText{Default: new("unrestricted")}))
	require.ErrorContains(t, err, "has volumes at /run/.containerenv")

	o := options
	o.ListenerMetadata = "port-restricter.port/mypod-web=5000"
	_, err = Inject(textOf(t, spec), o)
	require.ErrorContains(t, err, "has volumes at /run/.containerenv")
}
