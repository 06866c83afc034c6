package check

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/port-restricter/port-restricter/config"
)

// CommandLine says whether `port-restricter -p` works here, by running a process under it, and
// whether it suits the program of a command, which may be empty.
func CommandLine(command []string) []Result {
	const name = "command line"
	ports, err := choose(func(port uint16) (config.Policy, error) {
		return config.ParsePolicy(config.Texts{Ports: element(port)})
	})
	if err != nil {
		return []Result{fail(name, "", "it can't be tried: %v", err)}
	}
	directory, err := os.MkdirTemp("", "port-restricter-check-")
	if err != nil {
		return []Result{fail(name, "set TMPDIR to a directory that can be written to", "%v", err)}
	}
	defer os.RemoveAll(directory) //nolint:errcheck // nothing is left to be done
	low, lowErr := freeLow()
	probe := Probe{
		Allowed: ports.allowed, Refused: ports.refused, Low: low, Directory: directory,
		ChangeUser: os.Geteuid() == 0,
	}
	flags := []string{"-p", element(probe.Allowed)}
	if low != 0 {
		flags = append(flags, "-p", element(low))
	}
	ends, err := run(nil, append(flags, "--", self, "check", "probe", probe.encode())...)
	if err != nil {
		return []Result{fail(name, inContainer(err.Error()), "it does not work here: %v", err)}
	}
	if wrong := ends.judge(probe); wrong != "" {
		return []Result{fail(name, inContainer(""), "%s", wrong)}
	}
	results := []Result{
		ok(name, "a command got port %d, and was refused port %d", ports.allowed, ports.refused),
		lowPorts(low, lowErr, ends), paths(ends), otherUsers(ends),
		secondLock(ll.LandlockGetABIVersion()),
	}
	if len(command) > 0 {
		results = append(results, program(command[0]))
	}
	return results
}

func lowPorts(low uint16, err error, ends Ends) Result {
	const name = "low ports"
	switch {
	case low == 0 && errors.Is(err, unix.EACCES):
		return skip(name, "this user may bind none below %d (CAP_NET_BIND_SERVICE);"+
			" what the file of port-restricter may do by setcap is not tried", unprivileged)
	case low == 0:
		return skip(name, "none below %d can be bound: %v", unprivileged, err)
	case ends.Low != 0:
		return fail(name, "map the port: --map 80:8080 -p 8080",
			"port %d can be bound without port-restricter, and not under it: %v", low, ends.Low)
	}
	return ok(name, "a command binds ports below %d (%d was tried)", unprivileged, low)
}

func paths(ends Ends) Result {
	const name = "unix sockets"
	if ends.Path != 0 {
		return fail(name, inContainer(""),
			"a program with several threads can't make an AF_UNIX socket: %v", ends.Path)
	}
	return ok(name, "a program with several threads makes them")
}

// otherUsers is about programs that root starts, and that go on as another user.
func otherUsers(ends Ends) Result {
	const name = "other users"
	switch ends.OtherUser {
	case notTried:
		return skip(name, "this user can become no other")
	case 0:
		return ok(name, "a program that has changed its user binds, too")
	}
	return warn(name, inContainer(""), "a program that has changed its user, and executed no other"+
		" since, binds nothing (%v): the supervisor has no CAP_SYS_PTRACE", ends.OtherUser)
}

// program looks at a program whose privileges would count for nothing.
func program(name string) Result {
	path, err := exec.LookPath(name)
	if err != nil {
		return fail(name, "", "%v", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fail(name, "", "%v", err)
	}
	if isRoot() {
		return ok(name, "%s can be run", path)
	}
	const nothing = "which count for nothing under port-restricter (no_new_privs)"
	switch capabilities, err := cap.GetFile(path); {
	case info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0:
		return warn(name, "start port-restricter as the user that the program needs",
			"%s has setuid or setgid bits, %s", path, nothing)
	case err == nil:
		return warn(name, "setcap cap_net_bind_service=ep on port-restricter, or"+
			" AmbientCapabilities= of a systemd unit",
			"%s has file capabilities (%s), %s", path, capabilities, nothing)
	}
	return ok(name, "%s can be run", path)
}

// inContainer returns the setting of a container that lets port-restricter inspect its command.
// said is what port-restricter has said, which names the mend of anything else.
func inContainer(said string) string {
	if said != "" && !strings.Contains(said, "seccomp filter around") {
		return ""
	}
	docker := "docker run --cap-add SYS_PTRACE"
	podman := "podman run --cap-add SYS_PTRACE"
	kubernetes := "securityContext: {capabilities: {add: [SYS_PTRACE]}} of the container"
	switch {
	case os.Getenv("KUBERNETES_SERVICE_HOST") != "":
		return kubernetes
	case exists("/.dockerenv"):
		return docker
	case exists("/run/.containerenv"):
		return podman
	case !hasPtrace():
		return fmt.Sprintf("in a container: %s, %s, or in a pod %s", docker, podman, kubernetes)
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func hasPtrace() bool {
	has, err := cap.GetProc().GetFlag(cap.Permitted, cap.SYS_PTRACE)
	return err == nil && has
}
