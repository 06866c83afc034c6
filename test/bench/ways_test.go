package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/test/runc"
)

// original is an environment variable for users who have the C program that this
// project started as. Its value is the beginning of a command that runs another
// command under that program: "PATH -p 5000 --".
const original = "PORT_RESTRICTER_ORIGINAL"

// A stand has the compiled programs of testdata.
type stand struct {
	b      *testing.B
	dir    string // with the programs that run on the host
	rootfs string // with the programs that run in containers
}

func newStand(b *testing.B) *stand {
	b.Helper()
	s := &stand{b: b, dir: b.TempDir(), rootfs: runc.Rootfs(b)}
	s.compile("caller", filepath.Join(s.dir, "caller"))
	s.compile("caller", filepath.Join(s.rootfs, "caller"))
	s.compile("floor", filepath.Join(s.dir, "floor"))
	return s
}

// compile compiles testdata/source.c into program, and returns program.
func (s *stand) compile(source, program string) string {
	s.b.Helper()
	out, err := exec.Command("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static",
		"-pthread", "-o", program, "testdata/"+source+".c").CombinedOutput()
	require.NoError(s.b, err, "%s", out)
	return program
}

// onPaths are the kinds of calls that bind to a path.
var onPaths = []string{"unix", "shm", "threaded"}

// ways returns every way in which a bind is measured.
func (s *stand) ways() []way {
	self, err := os.Executable()
	require.NoError(s.b, err)
	role := func(name, role string) way {
		w := s.under(name, self)
		inner := w.command
		w.command = func(program ...string) *exec.Cmd {
			command := inner(program...)
			command.Env = append(os.Environ(), roleVariable+"="+role)
			return command
		}
		return w
	}
	landlock := role("Landlock", "landlock")
	landlock.lacks = onPaths
	floor := filepath.Join(s.dir, "floor")
	all := []way{
		s.bare(), landlock, s.cgroupBPF(),
		s.under(reference, floor, "0"),
		s.under(reference+", cached pidfds", floor, "1"),
		role("libseccomp-golang loop", "libseccomp"),
		s.run(),
	}
	all = append(all, s.inContainers()...)
	if named := os.Getenv(original); named != "" {
		w := s.under("the C original", words(named)...)
		w.alone = true
		all = append(all, w)
	}
	return all
}

// under returns the way that runs a program on the host, by the command in prefix.
func (s *stand) under(name string, prefix ...string) way {
	return way{name: name, command: func(program ...string) *exec.Cmd {
		if program[0] == "caller" {
			program[0] = filepath.Join(s.dir, "caller")
		}
		argv := append(append([]string{}, prefix...), program...)
		command := exec.Command(argv[0], argv[1:]...)
		command.Dir = s.dir
		return command
	}}
}

// bare returns the way that runs a program unrestricted.
func (s *stand) bare() way { return s.under("bare kernel") }

// run returns the way that runs a program under port-restricter's command line.
func (s *stand) run() way {
	return s.under("port-restricter command line", runc.Binary(s.b), "-p", "5000", "--")
}

// inContainers returns the ways that run a program in a runc container: one under the
// agent, and one under the minimal supervisor in the agent's place. Both are slower
// than on the host, because a container's cgroups are not those of the supervisor.
func (s *stand) inContainers() []way {
	agent := runc.StartQuietAgent(s.b)
	profile := agent.Profile(s.b)
	socket := filepath.Join(s.dir, "floor.sock")
	floor := exec.Command(filepath.Join(s.dir, "floor"), "0", "listen", socket)
	require.NoError(s.b, floor.Start())
	s.b.Cleanup(func() {
		_ = floor.Process.Kill()
		_ = floor.Wait()
	})
	require.Eventually(s.b, func() bool {
		_, err := os.Stat(socket)
		return err == nil
	}, time.Minute, time.Millisecond)
	floorProfile := *profile
	floorProfile.ListenerPath = socket
	reference := s.container(reference+inRunc, &floorProfile)
	// The minimal supervisor would bind a path in its own directory, from which the
	// container can't remove it.
	reference.lacks = onPaths
	return []way{reference, s.container("port-restricter agent"+inRunc, profile)}
}

// container returns the way that runs a program in a runc container with a seccomp
// profile.
func (s *stand) container(name string, seccomp *specs.LinuxSeccomp) way {
	return way{name: name, command: func(program ...string) *exec.Cmd {
		program[0] = "/" + program[0]
		return runc.New(s.b, runc.Config{
			Rootfs: s.rootfs, Args: program, Seccomp: seccomp,
			Annotations: map[string]string{"port-restricter.port": "5000"},
		}).RunCommand()
	}}
}

// cgroupBPF returns the way that runs a program in a cgroup with a BPF program that
// allows binds to port 5000 only.
func (s *stand) cgroupBPF() way {
	// userPort is the offset of user_port in struct bpf_sock_addr, linux/bpf.h. The
	// port there is in network byte order.
	const userPort, port = 24, 5000&0xff<<8 | 5000>>8
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.CGroupSockAddr, AttachType: ebpf.AttachCGroupInet4Bind, License: "MIT",
		Instructions: asm.Instructions{
			asm.LoadMem(asm.R1, asm.R1, userPort, asm.Word),
			asm.Mov.Imm(asm.R0, 1),
			asm.JEq.Imm(asm.R1, port, "end"),
			asm.Mov.Imm(asm.R0, 0),
			asm.Return().WithSymbol("end"),
		},
	})
	require.NoError(s.b, err)
	cgroup := filepath.Join(cgroup2(s.b), fmt.Sprintf("port-restricter-bench-%d", os.Getpid()))
	require.NoError(s.b, os.Mkdir(cgroup, 0o755))
	attached, err := link.AttachCgroup(link.CgroupOptions{
		Path: cgroup, Attach: ebpf.AttachCGroupInet4Bind, Program: program,
	})
	require.NoError(s.b, err)
	dir, err := os.Open(cgroup)
	require.NoError(s.b, err)
	s.b.Cleanup(func() {
		attached.Close()
		program.Close()
		dir.Close()
		require.NoError(s.b, os.Remove(cgroup))
	})
	w := s.under("cgroup-BPF")
	w.lacks = append([]string{"getppid"}, onPaths...)
	inner := w.command
	w.command = func(program ...string) *exec.Cmd {
		command := inner(program...)
		command.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
		return command
	}
	return w
}

// cgroup2 returns the directory at which the unified cgroup hierarchy is mounted.
func cgroup2(b *testing.B) string {
	b.Helper()
	for _, path := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var fs unix.Statfs_t
		if unix.Statfs(path, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			return path
		}
	}
	require.FailNow(b, "no cgroup2 file system is mounted at or below /sys/fs/cgroup")
	return ""
}
