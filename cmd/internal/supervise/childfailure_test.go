package supervise

import (
	"bytes"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// refusing returns a filter that refuses a system call whose first argument is arg, or any
// argument if arg is negative, with an errno.
func refusing(call uint32, arg int, errno unix.Errno) []unix.SockFilter {
	const nr, firstArg = 0, 16 // in struct seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	unless := func(value uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: skip}
	}
	end := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	refuse := end(unix.SECCOMP_RET_ERRNO | uint32(errno))
	if arg < 0 {
		return []unix.SockFilter{load(nr), unless(call, 1), refuse, end(unix.SECCOMP_RET_ALLOW)}
	}
	return []unix.SockFilter{
		load(nr), unless(call, 3), load(firstArg), unless(uint32(arg), 1), refuse,
		end(unix.SECCOMP_RET_ALLOW),
	}
}

// refusal returns a filter under which a second supervisor's child can't restrict itself.
func refusal(what string, errno unix.Errno) []unix.SockFilter {
	switch what {
	case "prctl":
		return refusing(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, errno)
	case "landlock":
		return refusing(unix.SYS_LANDLOCK_RESTRICT_SELF, -1, errno)
	}
	return refusing(unix.SYS_SECCOMP, -1, errno)
}

// TestAChildThatCantRestrictItselfSaysWhatToDo lets an outer filter refuse the calls of the
// child, as a sandbox does, and expects the user to read what can be done.
func TestAChildThatCantRestrictItselfSaysWhatToDo(t *testing.T) {
	const allow = "port-restricter, or a kernel without it, refuses "
	for _, c := range []struct {
		what  string
		errno unix.Errno
		says  string
	}{
		{"prctl", unix.EPERM, "set no_new_privs: operation.*" + allow + `prctl\(2\)`},
		{"landlock", unix.EPERM, "by Landlock: operation not permitted: .*SystemCallFilter="},
		{"landlock", unix.ENOSYS, `refuses landlock_restrict_self\(2\): allow it there`},
		{"landlock", unix.E2BIG, "16 layers of Landlock"},
		{"landlock", unix.ENOMEM, "there is no memory left"},
		{"seccomp", unix.EACCES, "load the filter: permission denied: .*" + allow + `seccomp\(2\)`},
		{"seccomp", unix.EPERM, allow + `seccomp\(2\): allow it there`},
		{"seccomp", unix.ENOSYS, allow + `seccomp\(2\): allow it there`},
		{"seccomp", unix.EINVAL, "load the filter: invalid argument: .*Linux 5.8 or newer"},
		{"seccomp", unix.ENOMEM, "the filters around port-restricter are too long together"},
		{"seccomp", unix.EMFILE, "raise the limit of open files"},
		{"seccomp", unix.EBUSY, "another supervisor"},
	} {
		t.Run(c.what+" "+unix.ErrnoName(c.errno), func(t *testing.T) {
			how := "refuse " + c.what + " " + strconv.Itoa(int(c.errno))
			inner := ""
			if c.what == "landlock" {
				inner = "lock fails"
			}
			status, stderr := runNested(t, how, inner)
			require.Equal(t, cli.StatusFailure, status)
			require.Regexp(t, c.says, stderr)
		})
	}
}

// TestASecondSupervisorSaysThatThereIsOne shows what the kernel itself answers to a second
// notify fd.
func TestASecondSupervisorSaysThatThereIsOne(t *testing.T) {
	status, stderr := runNested(t, "served", "")
	require.Equal(t, cli.StatusFailure, status)
	require.Contains(t, stderr, "load the filter: device or resource busy: a process can have one"+
		" supervisor of its binds (seccomp notify fd), and this one already has another supervisor")
}

// runNested runs a supervisor under a supervisor.
func runNested(t *testing.T, outer, inner string) (status int, stderr string) {
	t.Helper()
	var text bytes.Buffer
	command := exec.Command(self(t), "supervise", outer, self(t), "supervise", inner, "true")
	command.Stderr = &text
	_ = command.Run()
	return command.ProcessState.ExitCode(), text.String()
}
