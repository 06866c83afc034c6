package check

import (
	"fmt"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
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
	results := []Result{ok("kernel", "Linux %s has the system calls that are needed", release)}
	if weakness := agent.Weakness(); weakness != "" {
		results = append(results, warn("threads", "boot Linux 6.9 or newer", "%s", weakness))
	} else {
		results = append(results, ok("threads", "each thread can bind (PIDFD_THREAD)"))
	}
	if major < 6 || major == 6 && minor < 6 {
		results = append(results, warn("wake-up", "boot Linux 6.6 or newer",
			"a bind wakes a second CPU, which takes longer (no SYNC_WAKE_UP)"))
	} else {
		results = append(results, ok("wake-up", "a bind wakes no second CPU (SYNC_WAKE_UP)"))
	}
	return append(results, makesFilter()...)
}

// makesFilter makes the filter, which takes libseccomp and shows whether the kernel has its flag.
func makesFilter() []Result {
	major, minor, micro := seccomp.GetLibraryVersion()
	made, err := filter.Compile(filter.Profile(filter.Options{
		Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv},
	}))
	if err != nil {
		return []Result{fail("libseccomp", "build port-restricter with libseccomp 2.5 or newer",
			"%d.%d.%d: %v", major, minor, micro, err)}
	}
	library := ok("libseccomp", "%d.%d.%d makes the filter", major, minor, micro)
	if made.Flags&unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV == 0 {
		return []Result{library, warn("signals", "boot Linux 5.19 or newer",
			"a signal can end a bind with EINTR (no WAIT_KILLABLE_RECV)")}
	}
	return []Result{library, ok("signals", "a signal ends no bind (WAIT_KILLABLE_RECV)")}
}

// secondLock looks for the lock that the command line has beside the filter.
func secondLock() Result {
	const name = "second lock"
	abi, err := ll.LandlockGetABIVersion()
	switch {
	case err != nil:
		return warn(name, "boot Linux 6.7 or newer with landlock among the lsm= of its command line,"+
			" or set kernel.yama.ptrace_scope=1 for commands of ordinary users",
			"there is none: the command can trace processes of the same user, or take their"+
				" sockets (no Landlock: %v)", err)
	case abi < 4:
		return warn(name, "boot Linux 6.7 or newer,"+
			" or set kernel.yama.ptrace_scope=1 for commands of ordinary users",
			"there is none: the command can trace processes of the same user, or take their"+
				" sockets (Landlock has ABI %d, which knows no ports)", abi)
	}
	return ok(name, "the kernel refuses the command's own binds, too (Landlock ABI %d)", abi)
}

func kernelRelease() (release string, major, minor int) {
	var name unix.Utsname
	_ = unix.Uname(&name) // fails for a bad pointer only
	release = unix.ByteSliceToString(name.Release[:])
	_, _ = fmt.Sscanf(release, "%d.%d", &major, &minor)
	return release, major, minor
}
