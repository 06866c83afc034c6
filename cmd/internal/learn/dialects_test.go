package learn

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/port-restricter/port-restricter/config"
)

func dialect(t *testing.T, name string) []Dialect {
	t.Helper()
	for _, d := range Dialects {
		if d.Name == name {
			return []Dialect{d}
		}
	}
	require.Fail(t, "no dialect "+name)
	return nil
}

func written(t *testing.T, g *Group, name string) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, g.Write(&text, dialect(t, name), ""))
	return text.String()
}

// words returns the words of a command after its name, as a shell takes them.
func words(t *testing.T, script string) []string {
	t.Helper()
	dir := t.TempDir()
	// The pattern [::1]:81/udp would match this file.
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "1:81", "udp"), 0o755))
	for _, name := range []string{"podman", "port-restricter"} {
		const show = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(show), 0o755))
	}
	shell := exec.Command("sh", "-euc", script)
	shell.Dir, shell.Env = dir, []string{"PATH=" + dir + ":/bin"}
	out, err := shell.CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// several needs several ports of each kind.
func several(t *testing.T) *Group {
	t.Helper()
	events := []Event{
		dual(bind("::", 80, "tcp")), bind("::1", 81, "udp"), bind("127.0.0.1", 82, "sctp"),
		listen("::", 0, "tcp"), rewritten(bind("0.0.0.0", 90, "tcp"), 5000),
		rewritten(bind("0.0.0.0", 91, "tcp"), 5001), bind("0.0.0.0", 9, "other"),
	}
	for i := range events {
		events[i].Name = "web"
	}
	return learned(t, events...)
}

const (
	severalPorts = "[::]:0/tcp,0.0.0.0:9,80/tcp,[::1]:81/udp,127.0.0.1:82/sctp," +
		"0.0.0.0:5000/tcp,0.0.0.0:5001/tcp"
	severalMaps = "90:5000/tcp,91:5001/tcp"
)

func TestAShellReadsTheFlags(t *testing.T) {
	g := several(t)
	want := []string{"-p", severalPorts, "--map", severalMaps}
	require.Equal(t, append(want, "--", "CMD"), words(t, written(t, g, "flags")))
	require.Equal(t, append([]string{"systemd", "UNIT"}, want...),
		words(t, written(t, g, "systemd")))
	require.Equal(t, []string{
		"run", "--annotation", "port-restricter.port=" + severalPorts,
		"--annotation", "port-restricter.map=" + severalMaps, "IMAGE",
	}, words(t, written(t, g, "podman")))
}

func TestAShellTakesNoAddressForAPattern(t *testing.T) {
	one := written(t, learned(t, bind("::1", 81, "udp")), "flags")
	require.Equal(t, []string{"-p", "[::1]:81/udp", "--", "CMD"}, words(t, one))
}

func TestKubernetesAndComposeReadTheAnnotations(t *testing.T) {
	type metadata struct{ Annotations map[string]string }
	var pod struct{ Metadata metadata }
	require.NoError(t, yaml.Unmarshal([]byte(written(t, several(t), "pod")), &pod))
	require.Equal(t, map[string]string{
		"port-restricter.port/web": severalPorts, "port-restricter.map/web": severalMaps,
	}, pod.Metadata.Annotations)
	type service struct {
		metadata `yaml:",inline"`
		Runtime  string
	}
	var project struct{ Services map[string]service }
	require.NoError(t, yaml.Unmarshal([]byte(written(t, several(t), "compose")), &project))
	require.Equal(t, "port-restricter", project.Services["web"].Runtime) // for Docker
	require.Equal(t, map[string]string{
		"port-restricter.port": severalPorts, "port-restricter.map": severalMaps,
	}, project.Services["web"].Annotations)
	container := config.Container{Annotations: project.Services["web"].Annotations}
	_, err := config.FromState(container, "", config.Rules{})
	require.NoError(t, err)
}

// An annotation that nobody looks at restricts nothing, without an error. So a text for
// containers names what looks at it.
func TestWhatEachEngineNeedsIsSaid(t *testing.T) {
	for dialect, says := range map[string][]string{
		"podman":  {"port-restricter configure podman"},
		"quadlet": {"port-restricter configure podman"},
		"compose": {"port-restricter configure docker", "With podman leave it out"},
		"pod":     {"NRI plugin", "runtimeClassName: port-restricter"},
	} {
		text := written(t, several(t), dialect)
		for _, what := range says {
			require.Contains(t, text, what, dialect)
		}
	}
}

func TestSystemdReadsTheSettings(t *testing.T) {
	values := func(text string) (list []string) {
		options, err := unit.DeserializeOptions(strings.NewReader(text))
		require.NoError(t, err)
		for _, o := range options {
			list = append(list, o.Section+"."+o.Name+"="+o.Value)
		}
		return list
	}
	require.Equal(t, []string{
		"Container.Annotation=port-restricter.port=" + severalPorts,
		"Container.Annotation=port-restricter.map=" + severalMaps,
	}, values(written(t, several(t), "quadlet")))
	text := written(t, several(t), "socketbind")
	require.Equal(t, []string{
		"Service.SocketBindDeny=any", "Service.SocketBindAllow=ipv4:9",
		"Service.SocketBindAllow=tcp:80", "Service.SocketBindAllow=ipv6:udp:81",
		"Service.SocketBindAllow=ipv4:tcp:5000", "Service.SocketBindAllow=ipv4:tcp:5001",
	}, values(text))
	for _, says := range []string{
		"nothing like [::]:0/tcp", "tcp and udp only, not 127.0.0.1:82/sctp",
		"wider: systemd knows no address", "systemd maps no port",
	} {
		require.Contains(t, text, says)
	}
}

// A name is in comments only, or where it is a plain word: it adds nothing to any dialect.
func TestANameIsNeverMoreThanAName(t *testing.T) {
	for _, name := range []string{
		"web\nExecStart=/bin/evil", "web\r\nx", "a\u2028b: c", "\x1b]0;title\a", "a: b", "#",
		"'; evil; '", "../../x", "$(evil)", "%n", "\xff\xfe", "on", "1e3",
		strings.Repeat("n", 1<<16),
	} {
		e := bind("127.0.0.1", 80, "tcp")
		e.Name, e.Pod, e.Container, e.Namespace, e.Program = name, name, name, name, name
		e.Errno = name
		lost := Event{Name: name, Namespace: name, Decision: "deny", Reason: name}
		g := learned(t, e, lost)
		var all strings.Builder
		require.NoError(t, g.Write(&all, Dialects, name))
		for line := range strings.Lines(all.String()) {
			line = strings.TrimSuffix(line, "\n")
			require.NotContains(t, line, "\r")
			for _, r := range line {
				require.True(t, r == '…' || r >= ' ' && r < 0x7f, "%q", line)
			}
		}
		for _, d := range []string{"pod", "compose"} {
			var tree map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(written(t, g, d)), &tree))
			require.Len(t, tree, 1)
		}
		require.Equal(t, []string{"-p", "127.0.0.1:80/tcp", "--", "CMD"},
			words(t, written(t, g, "flags")))
		for _, d := range []string{"quadlet", "socketbind"} {
			options, err := unit.DeserializeOptions(strings.NewReader(written(t, g, d)))
			require.NoError(t, err)
			for _, o := range options {
				require.Regexp(t, "^(Annotation|SocketBind(Allow|Deny))$", o.Name)
			}
		}
	}
}
