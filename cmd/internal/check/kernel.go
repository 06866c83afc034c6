package check

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	seccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/sandbox"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// kernel looks at what the kernel has, and says what the lack of it costs. docs/kernels.md has the
// same list.
func kernel() []Result {
	release, major, minor := kernelRelease()
	if err := sandbox.Check(); err != nil {
		return []Result{fail("kernel", "", "Linux %s: %v", release, err)}
	}
	return append([]Result{
		ok("kernel", "Linux %s has the system calls that are needed", release),
		threads(agent.Weakness()), wakeUp(major, minor),
	}, makesFilter()...)
}

func threads(weakness string) Result {
	const name = "threads"
	if weakness != "" {
		return warn(name, "boot Linux 6.9 or newer", "%s", weakness)
	}
	return ok(name, "each thread can bind (PIDFD_THREAD)")
}

func wakeUp(major, minor int) Result {
	const name = "wake-up"
	if major < 6 || major == 6 && minor < 6 {
		return warn(name, "boot Linux 6.6 or newer",
			"a bind wakes a second CPU, which takes longer (no SYNC_WAKE_UP)")
	}
	return ok(name, "a bind wakes no second CPU (SYNC_WAKE_UP)")
}

// makesFilter makes the filter, which takes libseccomp and shows whether the kernel has its flag.
func makesFilter() []Result {
	const name = "libseccomp"
	major, minor, micro := seccomp.GetLibraryVersion()
	made, err := filter.Compile(filter.Profile(filter.Options{
		Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv},
	}))
	if err != nil {
		return []Result{fail(name, "build port-restricter with libseccomp 2.5 or newer",
			"%d.%d.%d: %v", major, minor, micro, err)}
	}
	return []Result{ok(name, "%d.%d.%d makes the filter", major, minor, micro), signals(made.Flags)}
}

// signals judges the flags that the kernel takes with the filter.
func signals(flags uint) Result {
	const name = "signals"
	if flags&unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV == 0 {
		return warn(name, "boot Linux 5.19 or newer",
			"a signal can end a bind with EINTR (no WAIT_KILLABLE_RECV)")
	}
	return ok(name, "a signal ends no bind (WAIT_KILLABLE_RECV)")
}

// secondLock judges the lock that the command line has beside the filter, by the version of
// Landlock.
func secondLock(abi int, err error) Result {
	const (
		name = "second lock"
		cost = "there is none: the command can trace processes of the same user, or take their" +
			" sockets"
		mend = "boot Linux 6.7 or newer, with landlock in its parameter lsm=; for commands of" +
			" ordinary users, sysctl kernel.yama.ptrace_scope=1 does the same"
	)
	switch {
	case err != nil:
		return warn(name, mend, "%s (no Landlock: %v)", cost, err)
	case abi < 4:
		return warn(name, mend, "%s (ABI %d of Landlock, which knows no ports)", cost, abi)
	}
	return ok(name, "the kernel refuses the command's own binds, too (ABI %d of Landlock)", abi)
}

func kernelRelease() (release string, major, minor int) {
	var name unix.Utsname
	_ = unix.Uname(&name) // fails for a bad pointer only
	release = unix.ByteSliceToString(name.Release[:])
	_, _ = fmt.Sscanf(release, "%d.%d", &major, &minor)
	return release, major, minor
}
