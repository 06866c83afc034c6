package programs

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/test/runc"
)

// bindsAll binds several ports, each in another way.
const bindsAll = `
import socket
def serve(family, kind, address, port):
    s = socket.socket(family, kind)
    s.bind((address, port))
    if kind == socket.SOCK_STREAM: s.listen()
    return s
all = [serve(socket.AF_INET6, socket.SOCK_STREAM, "::", 5000),
    serve(socket.AF_INET6, socket.SOCK_DGRAM, "::1", 5001),
    serve(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", 5002),
    serve(socket.AF_INET6, socket.SOCK_STREAM, "::1", 0)]
`

const bindsAllPorts = "[::1]:0/tcp,5000/tcp,[::1]:5001/udp,127.0.0.1:5002/tcp"

// TestEachDialectIsReadByWhomItIsFor gives what is learned to the programs that read it.
func TestEachDialectIsReadByWhomItIsFor(t *testing.T) {
	for dialect, reader := range map[string]func(p *place, file string) map[string]string{
		"pod": func(p *place, file string) map[string]string {
			return readers(p, "pod", file)
		},
		"compose": func(p *place, file string) map[string]string {
			base := p.write("base.yaml", "services:\n  NAME:\n    image: localhost/image\n")
			return readers(p, "compose", base, file)
		},
		"quadlet":    readQuadlet,
		"annotation": readLines,
	} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "nobody", "")
			file := p.path("learned.container")
			out, err := p.try("port-restricter", "learn", "--format", dialect, "-o", file, "--",
				"python3", "-c", bindsAll)
			require.NoError(t, err, out)
			annotations := reader(p, file)
			require.Equal(t, map[string]string{"port-restricter.port": bindsAllPorts}, annotations)
			policy, err := config.FromState(
				config.Container{Annotations: annotations}, "", config.Rules{})
			require.NoError(t, err)
			require.Equal(t, bindsAllPorts, policy.String())
		})
	}
}

// readers returns the annotations that testdata/readers finds.
func readers(p *place, args ...string) (found map[string]string) {
	p.Helper()
	out, err := p.try(append([]string{"readers"}, args...)...)
	require.NoError(p, err)
	require.NoError(p, json.Unmarshal([]byte(out), &found), out)
	return found
}

// readQuadlet returns the annotations that podman's generator passes to podman.
func readQuadlet(p *place, file string) map[string]string {
	p.Helper()
	text, err := os.ReadFile(file)
	require.NoError(p, err)
	p.write("learned.container", string(text)+"Image=localhost/image\n")
	generator := exec.Command(runc.Built(p, "quadlet"), "-dryrun")
	generator.Env = []string{"QUADLET_UNIT_DIRS=" + p.dir}
	out, err := generator.CombinedOutput()
	require.NoError(p, err, string(out))
	found := map[string]string{}
	arguments := regexp.MustCompile(`--annotation ([^ =]+)=(\S+)`)
	for _, argument := range arguments.FindAllStringSubmatch(string(out), -1) {
		found[argument[1]] = argument[2]
	}
	return found
}

func readLines(p *place, file string) map[string]string {
	p.Helper()
	text, err := os.ReadFile(file)
	require.NoError(p, err)
	found := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^([^#=]+)=(.*)$`).FindAllStringSubmatch(
		string(text), -1) {
		found[line[1]] = line[2]
	}
	return found
}
