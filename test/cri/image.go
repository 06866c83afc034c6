package cri

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Image is the image of all containers, and of the pods' sandboxes. It has a static busybox
// in /bin.
const Image = "localhost/busybox:latest"

// Busybox is the path of the program in the image.
const Busybox = "/bin/busybox"

// WriteImage writes the image into a tar archive, in the format of docker save.
func WriteImage(t testing.TB, path string) {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	require.NoError(t, err)
	program, err := os.ReadFile(busybox)
	require.NoError(t, err)

	layer := archive(t, []file{{"bin/", nil}, {"tmp/", nil}, {"bin/busybox", program}})
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{
			"Entrypoint": []string{Busybox, "sleep", "1000000"},
			"Env":        []string{"PATH=/bin"},
			"StopSignal": "SIGKILL",
		},
		"rootfs": map[string]any{
			"type":     "layers",
			"diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))},
		},
	})
	require.NoError(t, err)
	name := fmt.Sprintf("%x.json", sha256.Sum256(config))
	manifest, err := json.Marshal([]map[string]any{{
		"Config": name, "RepoTags": []string{Image}, "Layers": []string{"layer.tar"},
	}})
	require.NoError(t, err)
	all := archive(t, []file{{"manifest.json", manifest}, {name, config}, {"layer.tar", layer}})
	require.NoError(t, os.WriteFile(path, all, 0o644))
}

// A file is a member of an archive.
type file struct {
	name    string
	content []byte // nil for a directory
}

// archive returns a tar archive of the files, each with the mode 0755.
func archive(t testing.TB, files []file) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		header := &tar.Header{
			Name: f.name, Mode: 0o755, Size: int64(len(f.content)), Typeflag: tar.TypeReg,
		}
		if f.content == nil {
			header.Typeflag = tar.TypeDir
		}
		require.NoError(t, w.WriteHeader(header))
		_, err := w.Write(f.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}
