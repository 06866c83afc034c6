package supervise

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// supervised returns the test binary as the supervisor of cmd.
func supervised(how string, cmd ...string) *exec.Cmd {
	return exec.Command("/proc/self/exe", append([]string{"supervise", how}, cmd...)...)
}

// self returns the path of the test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

func TestStatusIsThatOfTheCommandOrOfAShellThatCouldNotRunIt(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
		return path
	}
	script := write("noexec", 0o755, "echo \"$1\"; exit 5\n")
	plain := write("plain", 0o644, "")
	write("first/tool", 0o644, "")
	write("second/tool", 0o755, "#!/bin/sh\nexit 6\n")
	path := "PATH=" + dir + "/first:" + dir + "/second"

	for name, c := range map[string]struct {
		how, env       string
		args           []string
		status         int
		stdout, stderr string
	}{
		"success": {args: []string{"true"}},
		"the status of the command": {
			args: []string{"sh", "-c", "exit 3"}, status: 3,
		},
		"killed": {
			args: []string{"sh", "-c", "kill -KILL $$"}, status: 137,
		},
		"no interpreter line": {
			args: []string{script, "argument"}, status: 5, stdout: "argument\n",
		},
		"next directory after EACCES": {
			env: path, args: []string{"tool"}, status: 6,
		},
		"dot in PATH": {
			env: "PATH=.", args: []string{"noexec"}, status: 5, stdout: "\n",
		},
		"empty element of PATH": {
			env: "PATH=/nowhere:", args: []string{"noexec"}, status: 5, stdout: "\n",
		},
		"PATH has only an unusable one": {
			env: "PATH=" + dir + "/first", args: []string{"tool"},
			status: 126, stderr: "run \"tool\": permission denied\n",
		},
		"not executable": {
			args:   []string{plain},
			status: 126, stderr: "run \"" + plain + "\": permission denied\n",
		},
		"a directory": {
			args:   []string{dir},
			status: 126, stderr: "run \"" + dir + "\": permission denied\n",
		},
		"not there": {
			args:   []string{"/nowhere"},
			status: 127, stderr: "run \"/nowhere\": no such file or directory\n",
		},
		"not in PATH": {
			args:   []string{"nowhere"},
			status: 127, stderr: "run \"nowhere\": command not found in PATH\n",
		},
		"empty name": {
			args:   []string{""},
			status: 127, stderr: "run \"\": command not found in PATH\n",
		},
		"no command": {
			status: 125, stderr: "no command to run\n",
		},
		"Landlock fails": {
			how: "lock fails", args: []string{"true"}, status: 125,
			stderr: "restrict the command by Landlock: file descriptor in bad state\n",
		},
		"the filter can't be loaded": {
			how: "load fails", args: []string{"true"},
			status: 125, stderr: "load the filter: invalid argument: the kernel does not take" +
				" such a filter: port-restricter needs" +
				" CONFIG_SECCOMP_FILTER and Linux 5.8 or newer\n",
		},
		"attach fails": {
			how: "attach fails", args: []string{"echo", "ran"}, status: 125,
			stderr: "attach the command to the supervisor: no supervisor today\n",
		},
		"child killed": {
			how: "killed", args: []string{"true"}, status: 159,
			stderr: "the child was killed by signal 31 before it could run \"true\"\n",
		},
		"child hangs after attach fails": {
			how: "stopped", args: []string{"true"}, status: 125,
			stderr: "attach the command to the supervisor: no supervisor today\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			cmd := supervised(c.how, c.args...)
			cmd.Path, cmd.Dir, cmd.Stdout, cmd.Stderr = self(t), dir, &stdout, &stderr
			cmd.Env = append(os.Environ(), c.env)
			_ = cmd.Run()
			require.Equal(t, c.stderr, stderr.String())
			require.Equal(t, c.stdout, stdout.String())
			require.Equal(t, c.status, cmd.ProcessState.ExitCode())
		})
	}
}

// What the command finds is compared with what it finds if the shell executes it without
// a supervisor.
func TestCommandInheritsWhatTheSupervisorWasGiven(t *testing.T) {
	shell := func(script string) []string { return []string{"sh", "-c", script} }
	signals := []string{"grep", "^Sig[BIC]", "/proc/self/status"}
	slack := "/proc/self/timerslack_ns"
	for name, c := range map[string]struct {
		setup string
		look  []string
	}{
		"descriptors": {
			"exec 3</dev/null 7<>/dev/null 4<&-; exec 6>&1",
			shell("ls /proc/self/fd"),
		},
		"high descriptor": {
			"ulimit -n 4096; eval 'exec 9</dev/null'",
			shell("ls /proc/self/fd"),
		},
		"closed input": {
			"exec <&-",
			shell("ls /proc/self/fd"),
		},
		"all closed": {
			"exec 5>&1 <&- >&- 2>&-",
			shell("ls /proc/self/fd >&5"),
		},
		"descriptor limit": {
			"ulimit -Sn 512",
			shell("ulimit -Sn; ulimit -Hn"),
		},
		"nohup": {
			"trap '' HUP",
			signals,
		},
		"ignored signals": {
			"trap '' HUP INT QUIT ILL ABRT SEGV SYS PIPE TERM USR1 CHLD TSTP 34 64",
			signals,
		},
		"blocked signals": {
			`set -- env --block-signal=CHLD,TERM,PROF,HUP,34 "$@"`,
			signals,
		},
		"default signals": {
			":",
			signals,
		},
		"scheduling": {
			`umask 027; cd /usr; set -- nice -n 3 "$@"`,
			shell("umask; pwd; nice"),
		},
		"timer slack": {
			"echo 77777 >" + slack,
			[]string{"cat", slack},
		},
		"no environment": {
			`set -- env -i "$@"`,
			shell("cat /proc/$$/environ"),
		},
		"group, session": {
			":",
			[]string{"cut", "-d ", "-f5-8", "/proc/self/stat"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			see := func(prefix ...string) string {
				args := append([]string{"-c", c.setup + `; exec "$@"`, "sh"}, prefix...)
				out, err := exec.Command("bash", append(args, c.look...)...).CombinedOutput()
				require.NoError(t, err, string(out))
				return string(out)
			}
			bare := see()
			require.Equal(t, bare, see(self(t), "supervise", ""))
		})
	}
}

func TestEnvironmentKeepsDuplicatesAndNonsense(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	args := []string{"port-restricter", "supervise", "", "/bin/cat", "/proc/self/environ"}
	process, err := os.StartProcess(self(t), args, &os.ProcAttr{
		Env:   []string{"A=1", "nonsense", "", "A=2", "=x"},
		Files: []*os.File{nil, write, os.Stderr},
	})
	require.NoError(t, err)
	require.NoError(t, write.Close())
	var out bytes.Buffer
	_, err = out.ReadFrom(read)
	require.NoError(t, err)
	_, err = process.Wait()
	require.NoError(t, err)
	require.Equal(t, "A=1\x00nonsense\x00\x00A=2\x00=x\x00", out.String())
}
