package agent

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Every process that can open the socket's directory can lock it with flock(2), and
// hold the lock for ever. The agent starts all the same.
func TestALockOnTheDirectoryDoesNotHoldUpTheAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	dir, err := os.Open(filepath.Dir(path))
	require.NoError(t, err)
	defer dir.Close()
	require.NoError(t, unix.Flock(int(dir.Fd()), unix.LOCK_EX))
	l := requireListens(t, path)
	defer l.Close()
	require.NoFileExists(t, path+".lock")
}

// An agent that was killed while it started leaves the file behind, without a lock.
func TestALeftLockFileDoesNotHoldUpTheAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	require.NoError(t, os.WriteFile(path+".lock", nil, 0o600))
	l := requireListens(t, path)
	defer l.Close()
	require.NoFileExists(t, path+".lock")
}

// A holder that does not let go, such as a stopped agent, is named in the error.
func TestTheHolderOfTheLockIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	holder := holdLock(t, path+".lock")
	before, began := settledFDs(t), time.Now()
	_, err := Listen(path, quietLog())
	require.ErrorContains(t, err, fmt.Sprintf("process %d (exe)", holder.Process.Pid))
	require.ErrorContains(t, err, path+".lock")
	require.Less(t, time.Since(began), 10*lockLimit)
	require.Equal(t, before, openFDs(t), "fds after many tries")
	require.NoError(t, holder.Process.Kill())
	_ = holder.Wait()
	requireListens(t, path).Close()
}

// holdLock starts a process that holds the lock until it is killed.
func holdLock(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	holder := role("holder", nil)
	holder.ExtraFiles = nil
	holder.Env = append(holder.Env, "LOCK="+path)
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return holder
}

// In a directory that others can write to, another user may have put anything at the
// lock file's path. The agent neither waits nor follows it, and says what is there.
func TestALockFileOfOthersIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, message string
		put           func(path string) error
	}{
		{"symbolic link", "too many levels of symbolic links", func(path string) error {
			return os.Symlink(filepath.Join(filepath.Dir(path), "elsewhere"), path)
		}},
		{"directory", "is a directory", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"FIFO", "is not a file for the agent alone", func(path string) error {
			return unix.Mkfifo(path, 0o600)
		}},
		{"file that others can open", "is not a file for the agent alone",
			func(path string) error { return os.WriteFile(path, nil, 0o644) }},
		{"file of another user", "belongs to user 54321", func(path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Chown(path, 54321, 54321)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "agent.sock")
			require.NoError(t, test.put(path+".lock"))
			_, err := Listen(path, quietLog())
			require.ErrorContains(t, err, test.message)
			require.ErrorContains(t, err, path+".lock")
			require.ErrorContains(t, err, "--socket")
			require.NoFileExists(t, filepath.Join(filepath.Dir(path), "elsewhere"))
			require.NoFileExists(t, path)
		})
	}
}

// Where the agent may not make a file, there is none to remove.
func TestADirectoryWithoutPermissionIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock.lock")
	err := explainOpen(path, os.ErrPermission)
	require.ErrorContains(t, err, "may not make files in "+filepath.Dir(path)+": choose another")
	require.NotContains(t, err.Error(), "remove it")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.ErrorContains(t, explainOpen(path, os.ErrPermission), "remove it, or choose")
}

// Of agents that start at the same time, one gets the socket, and keeps it.
func TestOneOfManyAgentsGetsTheSocket(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "agent.sock")
		dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
		require.NoError(t, err)
		dead.SetUnlinkOnClose(false)
		require.NoError(t, dead.Close())
		var all sync.WaitGroup
		outcomes := make([]string, 4)
		for i := range outcomes {
			// Processes, since the lock does not keep two threads of one process apart.
			agent := role("listener", nil)
			agent.ExtraFiles = nil
			agent.Env = append(agent.Env, "LOCK="+path)
			out, err := agent.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, agent.Start())
			t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
			all.Go(func() { outcomes[i], _ = bufio.NewReader(out).ReadString('\n') })
		}
		all.Wait()
		listening := 0
		for _, outcome := range outcomes {
			if outcome == "listening\n" {
				listening++
			} else {
				require.Contains(t, outcome, "another agent listens on it")
			}
		}
		require.Equal(t, 1, listening, "%q", outcomes)
		conn, err := net.Dial("unix", path)
		require.NoError(t, err)
		conn.Close()
	}
}

// requireListens returns a listener, which must come well before the lock's limit.
func requireListens(t *testing.T, path string) *Listener {
	t.Helper()
	type outcome struct {
		*Listener
		error
	}
	done := make(chan outcome, 1)
	go func() { l, err := Listen(path, quietLog()); done <- outcome{l, err} }()
	select {
	case got := <-done:
		require.NoError(t, got.error)
		return got.Listener
	case <-time.After(10 * time.Second):
		require.FailNow(t, "the agent does not start")
		return nil
	}
}
