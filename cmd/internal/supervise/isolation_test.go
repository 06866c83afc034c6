package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stage is the environment variable that says how far runIsolated has come.
const stage = "PORT_RESTRICTER_SUPERVISE_TEST"

// runIsolated runs the tests in a session of their own, with the default action for every
// signal and none blocked, and returns the exit status. So the result does not depend on
// what started the tests (nohup, a background job, a terminal), and no signal of a test
// reaches a process outside.
//
// The process that was started becomes the guard, which stays in its session. Its child
// leads the new session, resets the signals, and then executes the test binary again,
// because C code looks at the signals before Go's runtime starts (inherited.c).
func runIsolated(m *testing.M) int {
	reached := os.Getenv(stage)
	os.Unsetenv(stage)
	// Processes of a test that lose their parent become children of this process, which
	// ends them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	switch reached {
	case "":
		return guard()
	case "in a session":
		panic(executeWithDefaultSignals())
	}
	return m.Run()
}

// guard runs the tests in a child, and ends the processes that they leave behind, for
// example because of a panic. If the tests passed, it is a failure to have left one.
func guard() int {
	runtime.LockOSThread() // Pdeathsig is sent when this thread ends
	caught := make(chan os.Signal, 10)
	for _, sig := range []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM} {
		if !signal.Ignored(sig) {
			signal.Notify(caught, sig)
		}
	}
	// A script that executes the test binary leaves its own children to the guard. They,
	// and what they leave, are not to be ended. No process of the tests is in this session.
	before, session := children(), sessionOf(0)
	isTest := func(pid int) bool {
		return !slices.Contains(before, pid) && sessionOf(pid) != session
	}
	tests := exec.Command("/proc/self/exe", os.Args[1:]...)
	// The tests read what bash prints, which depends on the language.
	tests.Env = append(os.Environ(), stage+"=in a session", "LC_ALL=C")
	tests.Stdout, tests.Stderr = os.Stdout, os.Stderr
	tests.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := tests.Start(); err != nil {
		panic(err)
	}
	go func() {
		// go test sends SIGQUIT to tests that take too long.
		for sig := range caught {
			_ = tests.Process.Signal(sig)
		}
	}()
	_ = tests.Wait()
	left := endChildren(isTest)
	status := exitStatus(unix.WaitStatus(tests.ProcessState.Sys().(syscall.WaitStatus)))
	if status == 0 && len(left) > 0 {
		fmt.Fprintln(os.Stderr, "the tests left processes behind:", strings.Join(left, ", "))
		return 1
	}
	return status
}

// executeWithDefaultSignals executes the test binary again, as the tests. It returns only
// on failure.
func executeWithDefaultSignals() error {
	runtime.LockOSThread() // the new program gets the signal mask of this thread
	// signal.Reset leaves a signal ignored that was ignored from the start. This is a
	// struct sigaction of the kernel, with room to spare on every architecture, and SIG_DFL
	// is 0.
	var byDefault [64]byte
	const setSize = 8
	for sig := uintptr(1); sig <= 64; sig++ {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig,
			uintptr(unsafe.Pointer(&byDefault)), 0, setSize, 0, 0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), stage+"=isolated"))
}

// endChildren kills the children of this process for which isTest is true, and those that
// become its children by that. It returns the command lines of those that were running.
func endChildren(isTest func(pid int) bool) (ended []string) {
	for more := true; more; {
		more = false
		for _, pid := range children() {
			if !isTest(pid) {
				continue
			}
			more = true
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if len(line) > 0 { // a zombie has an empty command line
				words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
				ended = append(ended, strings.Join(words, " "))
			}
			_ = unix.Kill(pid, unix.SIGKILL)
			for {
				if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
					break
				}
			}
		}
	}
	return ended
}

// anyChild is for the process that runs the tests: it starts without children.
func anyChild(int) bool { return true }

// sessionOf returns the session of a process, and 0 if the process is gone.
func sessionOf(pid int) int {
	session, _ := unix.Getsid(pid)
	return max(session, 0)
}
