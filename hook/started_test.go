package hook

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// A fakeClock passes only by waiting.
type fakeClock struct{ now time.Duration }

func (c *fakeClock) passed() time.Duration { return c.now }
func (c *fakeClock) wait(d time.Duration)  { c.now += d }

// The process goes through the given conditions, 100 ms each, and stays in the last one. The
// agent has the session from attachedAt on, or never if attachedAt is negative.
func TestAProcessIsHeldOnceItIsFilteredAndAttached(t *testing.T) {
	var (
		waits    = condition{}
		filtered = condition{filtered: true}
		held     = condition{executed: true, filtered: true}
		unheld   = condition{executed: true}
		step     = 100 * time.Millisecond
		never    = -step
	)
	for name, test := range map[string]struct {
		conditions []condition
		attachedAt time.Duration
		within     time.Duration
		says       string // "" for a process that is held
	}{
		"filtered before the start": {[]condition{filtered}, 0, 0, ""},
		"filtered after the start":  {[]condition{waits, filtered, held}, step, 3 * step, ""},
		"runs with the filter":      {[]condition{held}, 0, 0, ""},
		"the agent is slow":         {[]condition{held}, attachLimit / 2, attachLimit, ""},
		"runs without a filter":     {[]condition{unheld}, 0, 0, "no seccomp filter"},
		"later runs without one":    {[]condition{waits, unheld}, 0, 2 * step, "no seccomp filter"},
		"is never filtered":         {[]condition{waits}, 0, loadLimit + step, "no seccomp filter"},
		"another filter":            {[]condition{held}, never, attachLimit + step, "notify fd"},
		"another filter, waiting":   {[]condition{filtered}, never, loadLimit + step, "notify fd"},
	} {
		t.Run(name, func(t *testing.T) {
			clock := new(fakeClock)
			look := func() (condition, error) {
				return test.conditions[min(int(clock.now/step), len(test.conditions)-1)], nil
			}
			attached := func() (bool, error) {
				return test.attachedAt >= 0 && clock.now >= test.attachedAt, nil
			}
			err := awaitHeld(look, attached, clock)
			if test.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.says)
			}
			require.LessOrEqual(t, clock.now, test.within)
		})
	}
}

// What can't be determined is an error: the process is killed.
func TestAProcessThatCannotBeJudgedIsNotHeld(t *testing.T) {
	unreadable, silent := errors.New("unreadable"), errors.New("silent")
	err := awaitHeld(func() (condition, error) { return condition{}, unreadable },
		func() (bool, error) { return true, nil }, new(fakeClock))
	require.ErrorIs(t, err, unreadable)
	err = awaitHeld(func() (condition, error) { return condition{filtered: true}, nil },
		func() (bool, error) { return false, silent }, new(fakeClock))
	require.ErrorIs(t, err, silent)
}

// start starts a command, which ends with the test.
func start(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.Command(name, args...)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return command
}

// The test's own child has executed a program, and has no filter but that of the test. A
// process that has ended is no other process that got its pid.
func TestLookReadsTheConditionOfAProcess(t *testing.T) {
	command := start(t, "sleep", "600")
	p, err := openProcess(command.Process.Pid)
	require.NoError(t, err)
	defer p.close()
	condition, err := p.look()
	require.NoError(t, err)
	require.True(t, condition.executed)

	require.NoError(t, p.kill())
	require.Error(t, command.Wait())
	_, err = p.look()
	require.ErrorIs(t, err, errEnded)
	_, err = openProcess(command.Process.Pid)
	require.ErrorIs(t, err, errEnded)
	require.NoError(t, p.kill(), "a process that has ended already")
}

func pipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { write.Close() })
	return read, write
}

// A process that was forked runs the code of the program that forked it until it executes
// another one.
func TestAForkedProcessHasExecutedNothing(t *testing.T) {
	command := exec.Command("sh", "-c", "(read line; exec sleep 600) <&3 & echo $!; wait")
	read, write := pipe(t)
	command.ExtraFiles = append(command.ExtraFiles, read)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	read.Close()
	var pid int
	_, err = fmt.Fscan(out, &pid)
	require.NoError(t, err)
	p, err := openProcess(pid)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.kill(); _ = command.Wait(); p.close() })
	is := func() bool {
		condition, err := p.look()
		require.NoError(t, err)
		return condition.executed
	}
	require.False(t, is())
	_, err = write.WriteString("\n")
	require.NoError(t, err)
	require.Eventually(t, is, 5*time.Second, time.Millisecond)
}

// nowhere are the options of a guard without an agent.
var nowhere = at("/nowhere")

// The annotations and the metadata decide whom the guard looks at. A pid that the runtime does
// not tell is an error.
func TestCheckStartedLooksAtRestrictedContainersOnly(t *testing.T) {
	state := &specs.State{ID: "c"}
	require.NoError(t, CheckStarted(state, nowhere))
	limited := nowhere
	limited.ListenerMetadata = "port-restricter.port=5000"
	require.ErrorContains(t, CheckStarted(state, limited), "tells no pid")
	state.Annotations = map[string]string{"port-restricter.port": "5000"}
	require.ErrorContains(t, CheckStarted(state, nowhere), "tells no pid")
}

// A process without a filter is killed, though no agent listens.
func TestCheckStartedKillsAProcessWithoutAFilter(t *testing.T) {
	command := start(t, "sleep", "600")
	err := CheckStarted(&specs.State{
		ID: "c", Pid: command.Process.Pid,
		Annotations: map[string]string{"port-restricter.port": "5000"},
	}, nowhere)
	require.ErrorIs(t, err, ErrNotHeld)
	require.ErrorContains(t, command.Wait(), "killed")
}
