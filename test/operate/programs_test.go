package operate

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// The two programs look like one: whichever reads a command line first, the answer is the same.
func TestTheProgramThatIsCalledAnswersLikeTheOneWithAllCommands(t *testing.T) {
	for _, line := range []string{
		"", "--help", "-p 5000 --help", "run --help", "help hook", "hook --help", "--version",
		"agnet", "-v agnet", "--foo", "run", "hook foo", "profile --foo", "nri --help",
		"__complete conf", "check nothing", "-p 5000 -- sh -c false", "config --explain x",
		"-p 5000 status", "-v systemd", "--socket x agent y", "-p 5000 help run", "-v staus",
	} {
		called := runc.Finish(t, exec.Command(runc.Binary(t), strings.Fields(line)...))
		all := runc.Finish(t, exec.Command(runc.Admin(t), strings.Fields(line)...))
		require.Equal(t, all, called, line)
		require.NotEmpty(t, called.Stdout+called.Stderr+line, line)
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	alone := t.TempDir() + "/port-restricter"
	require.NoError(t, exec.Command("cp", runc.Binary(t), alone).Run())
	result := runc.Finish(t, exec.Command(alone, "status"))
	require.Equal(t, 125, result.Code)
	require.Contains(t, result.Stderr, "there is no "+alone+"-admin: install port-restricter-admin"+
		" beside port-restricter (make build builds both)")
	result = runc.Finish(t, exec.Command(alone, "-p", "5000", "--", "true"))
	require.Zero(t, result.Code, result.Stderr)
}
