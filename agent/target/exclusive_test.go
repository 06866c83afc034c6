package target

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What was proved of a thread holds until the kernel creates a task.
func TestAProofHoldsUntilATaskIsCreated(t *testing.T) {
	alone := exec.Command("sleep", "1000")
	require.NoError(t, alone.Start())
	t.Cleanup(func() { _ = alone.Process.Kill(); _ = alone.Wait() })
	thread, err := open(uint32(alone.Process.Pid))
	require.NoError(t, err)
	defer thread.Close()
	require.Eventually(t, func() bool {
		return thread.OwnsFileTable(0, atOnce) && proved.hold(thread.tid)
	}, time.Minute, time.Millisecond)
	require.False(t, proved.hold(os.Getpid()))

	// This process has threads, which share its file table.
	created, err := tasksCreated()
	require.NoError(t, err)
	proved.add(os.Getpid(), created)
	shares, err := open(uint32(os.Getpid()))
	require.NoError(t, err)
	defer shares.Close()
	require.NoError(t, exec.Command("true").Run())
	require.False(t, shares.OwnsFileTable(0, atOnce), "a proof from before a task was created")
	require.False(t, proved.hold(thread.tid), "a proof from before a task was created")
}

// Whoever shared the file table until the proof may have replaced the socket that was inspected.
func TestASocketThatWasReplacedBeforeTheProofIsNotKept(t *testing.T) {
	inspected, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	inspectedFile := os.NewFile(uintptr(inspected), "inspected")
	defer inspectedFile.Close()
	other, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(other)
	alone := exec.Command("sleep", "1000")
	alone.Stdin = inspectedFile
	require.NoError(t, alone.Start())
	t.Cleanup(func() { _ = alone.Process.Kill(); _ = alone.Wait() })
	thread, err := open(uint32(alone.Process.Pid))
	require.NoError(t, err)
	defer thread.Close()
	require.Eventually(t, func() bool { return thread.KeepsSocket(0, inspected, 0, atOnce) },
		time.Minute, time.Millisecond)
	require.Never(t, func() bool { return thread.KeepsSocket(0, other, 0, atOnce) },
		100*time.Millisecond, time.Millisecond)
	require.False(t, thread.KeepsSocket(0, -1, 0, atOnce))
}

func atOnce(scan func() time.Duration) { scan() }
