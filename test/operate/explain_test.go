package operate

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// Explain says of a running container what the container experiences.
func TestExplainSaysWhatTheContainerExperiences(t *testing.T) {
	server := runc.StartQuietAgent(t)
	c := idle(t, server, "5000")
	id := c.State(t).ID
	requireRefused(t, c, 5001)
	refused := runc.Finish(t, server.Ask(t, "explain", id, "[::]:5001/tcp"))
	require.Equal(t, 1, refused.Code)
	require.Contains(t, refused.Stdout,
		"refused: port 5001/tcp at :: is not in port-restricter.port=5000")
	require.Empty(t, refused.Stderr)

	listener := listen(t, c, 5000)
	require.NoError(t, listener.Start())
	allowed := runc.Finish(t, server.Ask(t, "explain", id, "[::]:5000/tcp"))
	require.Equal(t, runc.Result{
		Stdout: "[::]:5000/tcp: allowed\n  port-restricter.port=5000 allows it by 5000\n",
	}, allowed)

	wrong := runc.Finish(t, server.Ask(t, "explain", id, "\x1b[31m"))
	require.Equal(t, 125, wrong.Code)
	require.NotContains(t, wrong.Stderr, "\x1b")
}

// Without an agent, explain says what annotations and metadata would allow.
func TestExplainWithoutAnAgent(t *testing.T) {
	explain := func(args ...string) runc.Result {
		return runc.Finish(t, exec.Command(runc.Binary(t), append([]string{"explain"}, args...)...))
	}
	const annotation = "--annotation=port-restricter.port=8000-8010"
	allowed := explain(annotation, "--annotation=port-restricter.map=80:8001", "80/tcp")
	require.Equal(t, runc.Result{Stdout: "80/tcp: allowed\n  80:8001 binds port 8001\n" +
		"  port-restricter.port=8000-8010 allows it by 8000-8010\n"}, allowed)
	refused := explain(annotation, "--metadata=port-restricter.port=9000", "8001/tcp")
	require.Equal(t, 1, refused.Code)
	require.Contains(t, refused.Stdout, "is not in")
	require.Contains(t, refused.Stdout, "port-restricter.port=9000")
	rules := filepath.Join(t.TempDir(), "rules.toml")
	require.NoError(t, os.WriteFile(rules, []byte(
		"[[rule]]\nnamespace = 'team-a'\nallow = '8000-8099'\ndefault = '8000'\n"), 0o600))
	ruled := explain("--rules", rules, "--identity", "team-a/web-1/app", "8001/tcp")
	require.Equal(t, 1, ruled.Code)
	require.Contains(t, ruled.Stdout,
		`default = "8000" of rule 1 (`+rules+`:4) does not allow it`)
	require.Contains(t, ruled.Stdout, `rules.toml:3) allows it by 8000-8099`)
	free := explain("--rules", rules, "--identity", "team-b/web-1/app", "8001/tcp")
	require.Zero(t, free.Code)
	require.Contains(t, free.Stdout, "8001/tcp: allowed: nothing restricts this container")

	require.Equal(t, 125, explain("8001/tcp").Code)
	require.Equal(t, 125, explain(annotation, "c1", "8001/tcp").Code)
	require.Equal(t, 125, explain("--annotation=port-restricter.port=x", "8001/tcp").Code)
}
