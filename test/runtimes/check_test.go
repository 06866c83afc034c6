package runtimes

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

// A finding is a line of `port-restricter check`.
type finding struct{ Name, Status, Text, Mend string }

// A report is what `port-restricter check` found.
type report struct {
	code int
	all  []finding
}

// one returns the only finding of a name.
func (r report) one(t *testing.T, name string) finding {
	t.Helper()
	var found []finding
	for _, f := range r.all {
		if f.Name == name {
			found = append(found, f)
		}
	}
	require.Len(t, found, 1, "%s in %v", name, r.all)
	return found[0]
}

// require requires the status of one finding, and that its text or mend contains what is said.
func (r report) require(t *testing.T, name, status string, said ...string) {
	t.Helper()
	f := r.one(t, name)
	require.Equal(t, status, f.Status, "%v", f)
	for _, text := range said {
		require.Contains(t, f.Text+"; "+f.Mend, text)
	}
}

// checkBy runs `port-restricter check --json` by the given command, whose exit status must be 1
// exactly if there is a failure.
func checkBy(t *testing.T, command ...string) (r report) {
	t.Helper()
	result := runc.Finish(t, exec.Command(command[0], command[1:]...))
	return reportOf(t, result)
}

func reportOf(t *testing.T, result runc.Result) (r report) {
	t.Helper()
	var read struct {
		OK      bool
		Results []finding
	}
	require.NoError(t, json.Unmarshal([]byte(result.Stdout), &read), result.Stdout+result.Stderr)
	require.Empty(t, result.Stderr)
	failed := slices.ContainsFunc(read.Results, func(f finding) bool { return f.Status == "fail" })
	require.Equal(t, failed, !read.OK)
	require.Equal(t, failed, result.Code == 1, "exit status %d", result.Code)
	require.False(t, !failed && result.Code != 0)
	return report{result.Code, read.Results}
}

// check runs `port-restricter check` in the node.
func (n node) check(t *testing.T, args ...string) report {
	t.Helper()
	return checkBy(t, n.Enter(append([]string{n.binary, "check", "--json"}, args...)...)...)
}

// TestCheckComparesContainersWithTheAgent shows a node before and after podman is configured, and
// what is said of containers that run.
func TestCheckComparesContainersWithTheAgent(t *testing.T) {
	a := runc.StartAgent(t)
	n := newNode(t, "listener = '"+a.Socket+"'", "", "/etc/containers/containers.conf.d")
	podman := newPodman(t, "runc", n.World)
	rootfs := runc.Rootfs(t)
	start := func(options ...string) {
		t.Helper()
		args := slices.Concat([]string{"run", "--detach"}, podman.run, options,
			[]string{"--rootfs", rootfs, busybox, "sleep", "600"})
		require.Zero(t, podman.do(t, args...).Code)
	}
	found := n.check(t)
	for _, name := range []string{"agent", "whole way", "kernel", "libseccomp"} {
		found.require(t, name, "ok")
	}
	found.require(t, "podman", "skip", "not configured; port-restricter configure podman")
	found.require(t, "crio", "skip", "not installed")
	found.require(t, "containers", "skip", "no container runs")
	found.require(t, "restart", "warn", "no systemd unit")
	require.Zero(t, found.code)

	// Asked for, the same is a failure.
	asked := n.check(t, "podman", "crio")
	asked.require(t, "podman", "fail", "not configured; port-restricter configure podman")
	asked.require(t, "crio", "fail", "not installed")

	// The second annotation becomes a label of runc's, like the one that has the bundle.
	start("--annotation", key+"=5000", "--annotation", "bundle=/nowhere")
	n.check(t).require(t, "containers", "fail", "is not held: it can bind any port")
	require.Zero(t, podman.do(t, "rm", "--force", "--all", "--time", "0").Code)

	n.configure(t, "podman")
	start("--annotation", key+"=5000")
	start()
	found = n.check(t, "podman")
	found.require(t, "podman", "ok", "by hooks")
	found.require(t, "containers", "ok", "2 run, 1 of them are held")
	require.Zero(t, found.code)

	start("--security-opt", "seccomp="+profile(t, a))
	n.check(t).require(t, "containers", "warn", "is held, and not annotated: it can bind no port")

	require.Zero(t, podman.do(t, "rm", "--force", "--all", "--time", "0").Code)
	start("--annotation", key+"=5000")
	later := runc.StartAgent(t)
	n.check(t, "--listener", later.Socket).require(t, "containers", "warn",
		"belongs to another supervisor, at "+a.Socket)
	a.Stop(t)
	require.NoError(t, os.Symlink(later.Socket, a.Socket))
	n.check(t).require(t, "containers", "fail", "and the agent does not serve it", "start it again")

	n.run(t, "rm", "/etc/port-restricter/podman/hooks.d/port-restricter-poststart.json")
	n.check(t).require(t, "podman", "fail", "it would create /etc/port-restricter/podman/hooks.d/"+
		"port-restricter-poststart.json; port-restricter configure podman")
	n.configure(t, "podman", "--listener", "/run/other.sock")
	n.check(t).require(t, "podman", "fail", "sends containers to an agent at /run/other.sock")
	require.NotContains(t, a.Log(t), "panic")
}

// TestCheckLooksAtContainersOfCrun shows the same for the other OCI runtime.
func TestCheckLooksAtContainersOfCrun(t *testing.T) {
	a := runc.StartAgent(t)
	n := node{worldFor(t, "crun", a), runc.Binary(t)}
	podman := newPodman(t, "crun", n.World)
	podman.disableCgroups("crun")
	started := podman.do(t, slices.Concat([]string{"run", "--detach"}, podman.run, []string{
		annotation + "5000", "--rootfs", runc.Rootfs(t), busybox, "sleep", "600"})...)
	require.Zero(t, started.Code, started.Stderr)
	n.check(t).require(t, "containers", "fail", "is not held")
	require.Zero(t, podman.do(t, "rm", "--force", "--all", "--time", "0").Code)
	started = podman.do(t, slices.Concat([]string{"run", "--detach"}, podman.run, []string{
		annotation + "5000", "--security-opt", "seccomp=" + profile(t, a),
		"--rootfs", runc.Rootfs(t), busybox, "sleep", "600"})...)
	require.Zero(t, started.Code, started.Stderr)
	n.check(t).require(t, "containers", "ok", "1 run, 1 of them are held")
}

// TestCheckSeesContainerdsConfiguration shows what is said of containerd's handlers.
func TestCheckSeesContainerdsConfiguration(t *testing.T) {
	a := runc.StartAgent(t)
	n := newNode(t, "listener = '"+a.Socket+"'", "", "/etc/containerd")
	n.check(t, "containerd").require(t, "containerd", "fail", "not configured")
	n.configure(t, "containerd")
	n.configure(t, "kubelet", "--kubelet-root", "/run/kubelet")
	found := n.check(t, "containerd")
	found.require(t, "containerd", "ok", "by the runtime handler port-restricter")
	found.require(t, "annotations", "ok", "through its runtime handlers: port-restricter")
	n.check(t, "--kubelet-root", "/run/kubelet").require(t, "annotations", "warn",
		"a pod with the Localhost profile and another handler (runc) can bind nothing")

	containerd := n.Enter("containerd", "--config", "/etc/containerd/config.toml",
		"--root", "/run/root", "--state", "/run/state", "--address", "/run/containerd.sock")
	running := exec.Command(containerd[0], containerd[1:]...)
	require.NoError(t, running.Start())
	defer func() { require.NoError(t, running.Process.Kill()); _ = running.Wait() }()
	require.Eventually(t, func() bool {
		path, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", running.Process.Pid))
		return filepath.Base(path) == "containerd"
	}, time.Minute, 20*time.Millisecond)
	time.Sleep(time.Second) // the start of a process is known to a hundredth of a second
	n.check(t, "containerd").require(t, "containerd", "ok")
	n.run(t, "touch", "/etc/containerd/config.toml")
	n.check(t, "containerd").require(t, "containerd", "warn", "systemctl restart containerd",
		fmt.Sprintf("process %d (containerd) runs since before", running.Process.Pid))

	n.run(t, "sed", "-i", "s/pod_annotations = .*/pod_annotations = []/",
		"/etc/containerd/config.toml")
	n.check(t).require(t, "containerd", "fail", "it would change /etc/containerd/config.toml")
	n.run(t, "sh", "-c", "echo nonsense >/etc/containerd/config.toml")
	n.check(t).require(t, "containerd", "fail", "not valid TOML")
}

// about returns the findings that mention a container.
func (r report) about(c *cri.Container) (found []finding) {
	for _, f := range r.all {
		if strings.Contains(f.Text, c.ID()) {
			found = append(found, f)
		}
	}
	return found
}

// TestCheckFindsPodsThatAreNotHeld shows what is said of containers of Kubernetes, and of the
// plugin.
func TestCheckFindsPodsThatAreNotHeld(t *testing.T) {
	a := runc.StartAgent(t)
	check := func(engine *cri.Engine, args ...string) report {
		t.Helper()
		return checkBy(t, engine.Beside(t, append([]string{
			runc.Binary(t), "check", "--json", "--listener", a.Socket}, args...)...)...)
	}
	annotated := cri.Pod{Annotations: map[string]string{key: "5000"}}
	held, free := sleeping("held"), sleeping("free")
	held.Seccomp = cri.Localhost(profile(t, a))
	eachContainerd(t, cri.Containerd{Annotations: passOn}, func(t *testing.T, e *cri.Engine) {
		pod := startPod(t, e, annotated)
		is, isNot := startContainer(t, pod, held), startContainer(t, pod, free)
		found := check(e, "nri")
		require.Empty(t, found.about(is))
		require.Len(t, found.about(isNot), 1)
		require.Equal(t, "fail", found.about(isNot)[0].Status)
		found.require(t, "containers", "fail", "is not held") // and not the sandbox
		found.require(t, "nri", "fail", "no process is the plugin")
	})
	t.Run("annotations hidden", func(t *testing.T) {
		e := cri.StartContainerd(t, cri.Containerd{NRI: true})
		c := startContainer(t, startPod(t, e, annotated), held)
		found := check(e).about(c)
		require.Len(t, found, 1)
		require.Equal(t, "warn", found[0].Status)
		startPlugin(t, e, a)
		checkBy(t, runc.Binary(t), "check", "--json", "--listener", a.Socket, "nri").
			require(t, "nri", "ok", "the plugin runs")
	})
}

// TestCheckSaysWhyAnAgentDoesNotAnswer shows each way in which there is no agent at a socket.
func TestCheckSaysWhyAnAgentDoesNotAnswer(t *testing.T) {
	directory := t.TempDir()
	require.NoError(t, os.Chmod(directory, 0o755))
	check := func(socket string) report {
		t.Helper()
		return checkBy(t, runc.Binary(t), "check", "--json", "--listener", socket)
	}
	missing := filepath.Join(directory, "missing")
	check(missing).require(t, "agent", "fail", "there is no socket "+missing, "systemctl enable")

	file := filepath.Join(directory, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	check(file).require(t, "agent", "fail", "is no socket, but a file", "remove the file")

	killed := runc.StartAgent(t)
	require.NoError(t, syscall.Kill(killed.Pid(), syscall.SIGKILL))
	<-killed.Done
	check(killed.Socket).require(t, "agent", "fail", "nobody listens on the socket")

	stopped := runc.StartAgent(t)
	require.NoError(t, syscall.Kill(stopped.Pid(), syscall.SIGSTOP))
	check(stopped.Socket).require(t, "agent", "fail", "does not answer within 5s")
	require.NoError(t, syscall.Kill(stopped.Pid(), syscall.SIGCONT))
	check(stopped.Socket).require(t, "agent", "ok")

	replaced := runc.StartAgent(t)
	require.NoError(t, os.Remove(replaced.Socket))
	check(replaced.Socket).require(t, "agent", "fail", "there is no socket")

	listen := func(name string, serve func(net.Conn)) string {
		socket := filepath.Join(directory, name)
		listener, err := net.Listen("unix", socket)
		require.NoError(t, err)
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go serve(conn)
			}
		}()
		return socket
	}
	rubbish := listen("rubbish", func(c net.Conn) { fmt.Fprintln(c, "SSH-2.0\x1b[31m"); c.Close() })
	check(rubbish).require(t, "agent", "fail", "does not answer as an agent does")
	// An agent from before the guard's questions closes the connection.
	closes := listen("closes", func(c net.Conn) { c.Close() })
	check(closes).require(t, "agent", "fail", "closes the connection",
		"restart an agent that is older")
	// It says that it has the notify fd, and does not serve it.
	var fds []int
	holds := listen("holds", func(c net.Conn) {
		oob := make([]byte, 64)
		_, n, _, _, _ := c.(*net.UnixConn).ReadMsgUnix(make([]byte, 1<<16), oob)
		if messages, _ := syscall.ParseSocketControlMessage(oob[:n]); len(messages) > 0 {
			some, _ := syscall.ParseUnixRights(&messages[0])
			fds = append(fds, some...) // the checks come one after the other
		}
		fmt.Fprint(c, `{"attached":true}`)
		c.Close()
	})
	check(holds).require(t, "whole way", "fail", "a bind had no answer within")
	for _, fd := range fds {
		syscall.Close(fd)
	}
	mute := listen("mute", func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1<<16))
		fmt.Fprint(c, `{"attached":true}`)
		c.Close()
	})
	check(mute).require(t, "whole way", "fail", "a bind to it failed: function not implemented")
	// It takes the notify fd for one that it never gets.
	deaf := listen("deaf", func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1<<16))
		fmt.Fprint(c, `{"attached":false}`)
		c.Close()
	})
	check(deaf).require(t, "whole way", "fail", "was sent the container, and does not serve it")
}

// TestCheckSeesAnAgentThatDecidesWrongly shows that the whole way is really gone: agents that
// answer as they should, and decide as they should not.
func TestCheckSeesAnAgentThatDecidesWrongly(t *testing.T) {
	for said, policy := range map[string]func() (config.Policy, error){
		"and was bound all the same": func() (config.Policy, error) {
			return config.ParsePolicy(config.Texts{Ports: "1-65535"})
		},
		"is allowed, and a bind to it failed": func() (config.Policy, error) {
			return config.DenyAll("a test"), nil
		},
	} {
		t.Run(said, func(t *testing.T) {
			log := logrus.New()
			log.SetLevel(logrus.PanicLevel)
			supervisor, err := agent.NewSupervisor(log,
				func(*specs.ContainerProcessState) (config.Policy, error) { return policy() })
			require.NoError(t, err)
			defer supervisor.Close()
			socket := filepath.Join(t.TempDir(), "agent.sock")
			listener, err := agent.Listen(socket, log)
			require.NoError(t, err)
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- listener.Serve(ctx, supervisor) }()
			defer func() { stop(); require.NoError(t, <-done) }()
			found := checkBy(t, runc.Binary(t), "check", "--json", "--listener", socket)
			found.require(t, "agent", "ok")
			found.require(t, "whole way", "fail", said)
		})
	}
}

// TestCheckLeavesNoSessionBehind shows that an agent has nothing of it afterwards, also if it was
// killed in the middle.
func TestCheckLeavesNoSessionBehind(t *testing.T) {
	a := runc.StartAgent(t)
	for range 3 {
		checkBy(t, runc.Binary(t), "check", "--json", "--listener", a.Socket).
			require(t, "whole way", "ok")
	}
	require.NoError(t, syscall.Kill(a.Pid(), syscall.SIGSTOP))
	command := exec.Command(runc.Binary(t), "check", "--listener", a.Socket)
	require.NoError(t, command.Start())
	require.NoError(t, command.Process.Kill())
	_ = command.Wait()
	require.NoError(t, syscall.Kill(a.Pid(), syscall.SIGCONT))
	require.Eventually(t, func() bool {
		log := a.Log(t)
		return strings.Count(log, `"msg":"attached"`) == strings.Count(log, `"msg":"detached`)
	}, time.Minute, 20*time.Millisecond)
	require.False(t, anyProcessNames("port-restricter-check-"))
	checkBy(t, runc.Binary(t), "-p", "5000", "--",
		runc.Binary(t), "check", "--json", "--listener", a.Socket).
		require(t, "whole way", "fail", "a process can have one supervisor")
}

// TestCheckForAnOrdinaryUser shows that a user is told about the node's agent, and that an agent of
// the user's own goes the whole way.
func TestCheckForAnOrdinaryUser(t *testing.T) {
	node := runc.StartAgent(t)
	const script = `
		"$PROGRAM" check --json --listener "$SOCKET" >nodes || echo status $?
		"$PROGRAM" check --json >own || echo status $?
		"$PROGRAM" check --json podman >podman || echo status $?
		cat nodes own podman`
	result := ordinaryUser{script: "\nPROGRAM=/run/port-restricter SOCKET=" + node.Socket + script,
		runtime: "runc", program: "/bin/true"}.run(t)
	require.Zero(t, result.Code, result.Stderr)
	statuses, text, _ := strings.Cut(result.Stdout, "{")
	require.Equal(t, "status 1\n", statuses)
	decoder := json.NewDecoder(strings.NewReader("{" + text))
	next := func() (r report) {
		var read struct{ Results []finding }
		require.NoError(t, decoder.Decode(&read))
		return report{all: read.Results}
	}
	next().require(t, "agent", "fail", "run this as root", "--listener PATH")
	for range 2 {
		own := next()
		own.require(t, "agent", "ok", "of user ordinary listens")
		own.require(t, "whole way", "ok")
		own.require(t, "podman", "ok")
	}
}

// TestCheckOfTheCommandLineInAContainer shows which setting of a container lets the command line
// do its work there.
func TestCheckOfTheCommandLineInAContainer(t *testing.T) {
	rootfs, podman := rootfsWithPortRestricter(t), newPodman(t, "runc", nil)
	docker, err := filepath.Abs("../../hook/filter/testdata/docker-default.json")
	require.NoError(t, err)
	inside := func(options ...string) report {
		t.Helper()
		return reportOf(t, podman.container(t, slices.Concat([]string{"--tmpfs", "/tmp"}, options,
			[]string{"--rootfs", rootfs, "/bin/port-restricter", "check", "--json", "--"})...))
	}
	found := inside()
	for _, name := range []string{"command line", "low ports", "unix sockets", "second lock"} {
		found.require(t, name, "ok")
	}
	found.require(t, "other users", "warn", "podman run --cap-add SYS_PTRACE")
	require.Zero(t, found.code)
	inside("--env", "KUBERNETES_SERVICE_HOST=10.0.0.1").require(t, "other users", "warn",
		"securityContext: {capabilities: {add: [SYS_PTRACE]}}")
	inside("--cap-add", "SYS_PTRACE").require(t, "other users", "ok")
	user := inside("--user", "1000")
	user.require(t, "command line", "ok")
	user.require(t, "low ports", "skip", "CAP_NET_BIND_SERVICE")
	inside("--security-opt", "seccomp="+docker).require(t, "command line", "fail",
		"SystemCallFilter=pidfd_getfd;", "podman run --cap-add SYS_PTRACE")
	inside("--security-opt", "seccomp="+docker, "--env", "KUBERNETES_SERVICE_HOST=10.0.0.1").
		require(t, "command line", "fail", "add: [SYS_PTRACE]")

	node := reportOf(t, podman.container(t, "--security-opt", "seccomp="+docker,
		"--rootfs", rootfs, "/bin/port-restricter", "check", "--json"))
	node.require(t, "kernel", "fail", "SystemCallFilter=pidfd_getfd;")

	// A node without anything: what is not installed is no failure, but there is no agent.
	bare := reportOf(t, podman.container(t,
		"--rootfs", rootfs, "/bin/port-restricter", "check", "--json"))
	for _, name := range []string{
		"runc", "crun", "podman", "containerd", "crio", "docker", "kubelet",
	} {
		bare.require(t, name, "skip", "not installed")
	}
	bare.require(t, "agent", "fail", "there is no socket")
}

// TestCheckOfTheCommandLine shows it outside of containers.
func TestCheckOfTheCommandLine(t *testing.T) {
	binary := runc.Binary(t)
	root := checkBy(t, binary, "check", "--json", "--", "true")
	for _, f := range root.all {
		require.Equal(t, "ok", f.Status, "%v", f)
	}
	require.Len(t, root.all, 6)
	checkBy(t, binary, "check", "--json", "--", "/no/such/program").
		require(t, "/no/such/program", "fail", "no such file")
	oneID := checkBy(t, "unshare", "--user", "--map-root-user", binary, "check", "--json", "--")
	oneID.require(t, "command line", "ok")
	oneID.require(t, "unix sockets", "ok")
	checkBy(t, binary, "-p", "5000", "--", binary, "check", "--json", "--").
		require(t, "command line", "fail", "a process can have one supervisor")
	yama := `mount -t tmpfs none /proc/sys/kernel && mkdir /proc/sys/kernel/yama &&
		echo 3 >/proc/sys/kernel/yama/ptrace_scope && exec "$@"`
	checkBy(t, "unshare", "--mount", "sh", "-c", yama, "sh", binary, "check", "--json", "--").
		require(t, "command line", "fail", "kernel.yama.ptrace_scope is 3")
	checkBy(t, "unshare", "--net", binary, "check", "--json", "--").
		require(t, "command line", "ok")
	both := checkBy(t, binary, "check", "--json", "--listener", "/no/agent", "kubelet", "--")
	both.require(t, "command line", "ok")
	both.require(t, "kubelet", "fail", "not installed")
	checkBy(t, "env", "PORT_RESTRICTER_RUNTIME="+binary, binary, "check", "--json", "podman").
		require(t, binary, "fail", "that is port-restricter itself")
	wrong := runc.Finish(t, exec.Command(binary, "check", "dokcer"))
	require.Equal(t, 125, wrong.Code)
	require.Contains(t, wrong.Stderr, `"dokcer" is not a known engine`)

	// A setuid program of a user.
	setuid := filepath.Join(t.TempDir(), "setuid")
	require.NoError(t, os.WriteFile(setuid, []byte("#!/bin/sh\n"), 0o755))
	require.NoError(t, os.Chmod(setuid, 0o755|os.ModeSetuid))
	require.NoError(t, os.Chmod(filepath.Dir(setuid), 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(setuid)), 0o755))
	world := runc.NewWorld(t, runc.World{Settings: "\n"})
	asUser := func(program string) report {
		return checkBy(t, world.Enter("sh", "-c", "cp "+runc.Admin(t)+" /run/p && exec"+
			" setpriv --reuid 4321 --regid 4321 --clear-groups /run/p check --json -- "+program)...)
	}
	asUser(setuid).require(t, setuid, "warn", "has setuid or setgid bits", "no_new_privs")
	capable := filepath.Join(filepath.Dir(setuid), "capable")
	require.NoError(t, os.WriteFile(capable, []byte("#!/bin/sh\n"), 0o755))
	require.NoError(t, exec.Command("setcap", "cap_net_bind_service=ep", capable).Run())
	asUser(capable).require(t, capable, "warn", "cap_net_bind_service=ep), which count for nothing")
	asUser("true").require(t, "true", "ok")
}
