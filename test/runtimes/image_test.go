package runtimes

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// An ociLayout writes an image in the format of the OCI image layout.
type ociLayout string

// blob writes content into the layout and returns its descriptor.
func (dir ociLayout) blob(t *testing.T, mediaType string, content []byte) map[string]any {
	t.Helper()
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	blobs := filepath.Join(string(dir), "blobs", "sha256")
	require.NoError(t, os.MkdirAll(blobs, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(blobs, sum), content, 0o644))
	return map[string]any{
		"mediaType": "application/vnd.oci.image." + mediaType,
		"digest":    "sha256:" + sum, "size": len(content),
	}
}

// writeImage writes an image with busybox, whose manifest has the annotations.
func (dir ociLayout) writeImage(t *testing.T, annotations map[string]string) {
	t.Helper()
	text := func(v any) []byte {
		encoded, err := json.Marshal(v)
		require.NoError(t, err)
		return encoded
	}
	program, err := os.ReadFile("/bin/busybox")
	require.NoError(t, err)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	require.NoError(t, w.WriteHeader(&tar.Header{
		Name: "bin/busybox", Mode: 0o755, Size: int64(len(program)),
	}))
	_, err = w.Write(program)
	require.NoError(t, err)
	require.NoError(t, w.Close())

	layer := dir.blob(t, "layer.v1.tar", archive.Bytes())
	config := dir.blob(t, "config.v1+json", text(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []any{layer["digest"]}},
	}))
	manifest := dir.blob(t, "manifest.v1+json", text(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": config, "layers": []any{layer}, "annotations": annotations,
	}))
	manifest["annotations"] = map[string]string{"org.opencontainers.image.ref.name": "latest"}
	for name, content := range map[string][]byte{
		"oci-layout": text(map[string]any{"imageLayoutVersion": "1.0.0"}),
		"index.json": text(map[string]any{"schemaVersion": 2, "manifests": []any{manifest}}),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(string(dir), name), content, 0o644))
	}
}

// image puts an image with the annotations into podman's store, and returns its id.
func (p *podmanEngine) image(t *testing.T, annotations map[string]string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "image") // podman makes a name of it, which has no capitals
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	ociLayout(dir).writeImage(t, annotations)
	pulled := p.do(t, "pull", "--quiet", "oci:"+dir+":latest")
	require.Zero(t, pulled.Code, pulled.Stderr)
	return strings.TrimSpace(pulled.Stdout)
}

// listenIn runs a container of an image, which listens on a port for a second.
func (p *podmanEngine) listenIn(
	t *testing.T, image, port string, options ...string,
) runc.Result {
	t.Helper()
	script := "busybox timeout 1 busybox nc -l -p " + port + "; exit $?"
	return p.container(t, append(options, image, busybox, "sh", "-c", script)...)
}

// The annotations in which CRI-O and containerd have a container's name and type.
const (
	nameOfCRIO       = "io.kubernetes.container.name"
	typeOfCRIO       = "io.kubernetes.cri-o.ContainerType"
	nameOfContainerd = "io.kubernetes.cri.container-name"
	typeOfContainerd = "io.kubernetes.cri.container-type"
)

// The annotations by which an image says that its container is the container web of a pod,
// and by which it gives that container every port.
var (
	everyPort = map[string]string{key + "/web": "1-65535"}
	likeCRIO  = map[string]string{
		nameOfCRIO: "web", typeOfCRIO: "container",
		"io.container.manager":            "cri-o",
		"io.kubernetes.cri-o.ContainerID": strings.Repeat("0", 64),
	}
	likeContainerd = map[string]string{
		nameOfContainerd: "web", typeOfContainerd: "container",
		"io.kubernetes.cri.sandbox-id": strings.Repeat("0", 64),
	}
)

// union returns what the maps have together.
func union(all ...map[string]string) map[string]string {
	united := map[string]string{}
	for _, m := range all {
		for key, value := range m {
			united[key] = value
		}
	}
	return united
}

// imageAttacks are the annotations of images that try to get port 5001, though the operator
// allows port 5000 only.
var imageAttacks = map[string]map[string]string{
	"the operator's key": {key: "1-65535"},
	"audit mode":         {"port-restricter.mode": "audit"},
	"audit mode for a name": union(likeCRIO,
		map[string]string{"port-restricter.mode/web": "audit"}),
	"a map":                  {"port-restricter.map": "5001:5000,5000:5001"},
	"a name in CRI-O's key":  union(everyPort, map[string]string{nameOfCRIO: "web"}),
	"a name in containerd's": union(everyPort, map[string]string{nameOfContainerd: "web"}),
	"all keys of CRI-O":      union(everyPort, likeCRIO),
	"all keys of containerd": union(everyPort, likeContainerd),
	"a sandbox of CRI-O":     union(likeCRIO, map[string]string{typeOfCRIO: "sandbox"}),
	"a sandbox of containerd": union(likeContainerd,
		map[string]string{typeOfContainerd: "sandbox"}),
}

// refusedImages are those of imageAttacks whose containers don't start, with the reason.
var refusedImages = map[string]string{
	"a map":                  "which port-restricter.port=5000 does not list",
	"audit mode for a name":  noSuchName,
	"a name in CRI-O's key":  noSuchName,
	"a name in containerd's": noSuchName,
	"all keys of CRI-O":      noSuchName,
	"all keys of containerd": noSuchName,
}

const noSuchName = "podman has no container of that name"

// TestAnImageDoesNotLiftTheOperatorsLimit shows that no annotation of an image's manifest
// gets a container a port that the operator's annotation does not list. Podman before 4.6
// gives a container the annotations of its image, under the same keys.
func TestAnImageDoesNotLiftTheOperatorsLimit(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		agent := runc.StartAgent(t)
		podman := podmanBehindShim(t, runtime, agent)
		for name, annotations := range imageAttacks {
			t.Run(name, func(t *testing.T) {
				image := podman.image(t, union(annotations, map[string]string{"mark": "image"}))
				created := podman.do(t, append(append([]string{"create"}, podman.run...),
					image, busybox, "true")...)
				require.Zero(t, created.Code, created.Stderr)
				inspected := podman.do(t, "inspect", "--format", "{{.Config.Annotations}}",
					strings.TrimSpace(created.Stdout))
				require.Contains(t, inspected.Stdout, "mark:image",
					"podman no longer copies an image's annotations")

				attack := podman.listenIn(t, image, "5001", annotation+"5000")
				require.NotEqual(t, listened, attack.Code, "the container listened on port 5001")
				if reason, ok := refusedImages[name]; ok {
					require.Contains(t, attack.Stderr, reason)
					return
				}
				require.Contains(t, attack.Stderr, refusal)
				served := podman.listenIn(t, image, "5000", annotation+"5000")
				require.Equal(t, listened, served.Code, served.Stderr)
			})
		}
		require.Regexp(t, "annotation ignored.*port-restricter.mode=audit.*counts for nothing",
			agent.Log(t))

		// An image that guesses the name of its container.
		image := podman.image(t, everyPort)
		attack := podman.listenIn(t, image, "5001", annotation+"5000", "--name", "web")
		require.Equal(t, 126, attack.Code)
		require.Contains(t, attack.Stderr, "are both for the container web")
	})
}
