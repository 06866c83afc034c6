package programs

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// learnable are the programs of this package of which `port-restricter learn` is tested, and what
// it must learn of each.
var learnable = map[string]string{
	"nginx": "127.0.0.1:5000/tcp", "java": "127.0.0.1:5000/tcp", "redis": "127.0.0.1:5000/tcp",
	"go": "5000/tcp", "postgres": "127.0.0.1:5000/tcp",
	"memcached": "127.0.0.1:5000/tcp,127.0.0.1:5000/udp",
	"dnsmasq":   "127.0.0.1:5000/tcp,127.0.0.1:5000/udp",
	"unbound":   "127.0.0.1:5000/tcp,127.0.0.1:5000/udp",
}

// TestALearnedPolicyHolds learns what a server needs. It serves with that as on the bare
// machine, and without one of the ports it does not.
func TestALearnedPolicyHolds(t *testing.T) {
	tested := 0
	for _, prog := range slices.Concat(webServers, stores, nameServers) {
		if want, ok := learnable[prog.name]; ok {
			t.Run(prog.name, func(t *testing.T) { prog.testLearned(t, want) })
			tested++
		}
	}
	require.Equal(t, len(learnable), tested)
}

func (prog program) testLearned(t *testing.T, want string) {
	t.Parallel()
	for _, user := range everybody {
		if prog.users != nil && !slices.Contains(prog.users, user) {
			continue
		}
		t.Run(user, func(t *testing.T) {
			p := newPlace(t, user, "")
			bare := prog.serve(p, prog.command(p, allowed), outcome{})
			learn := append([]string{"port-restricter", "learn", "-o", p.path("learned"), "--"},
				prog.command(p, allowed)...)
			learning := prog.serve(p, learn, bare)
			require.Equal(t, bare.answer, learning.answer)
			require.Equal(t, bare.status, learning.status)

			text, err := os.ReadFile(p.path("learned"))
			require.NoError(t, err)
			prog.ports = learnedPorts(t, string(text))
			require.Equal(t, want, prog.ports, string(text))
			got := prog.serve(p, prog.restricted(p, allowed), bare)
			require.Equal(t, bare.answer, got.answer)
			for _, less := range eachLess(prog.ports) {
				prog.ports = less
				prog.breaks(p)
			}
		})
	}
}

var learnedFlags = regexp.MustCompile(`(?m)^port-restricter -p '?([^' ]*)'? -- CMD$`)

// learnedPorts returns the ports in the output of `port-restricter learn`.
func learnedPorts(t *testing.T, output string) string {
	t.Helper()
	found := learnedFlags.FindStringSubmatch(output)
	require.Len(t, found, 2, output)
	return found[1]
}

// eachLess returns the lists that have one element less.
func eachLess(ports string) (lists []string) {
	elements := strings.Split(ports, ",")
	for i := range elements {
		less := slices.Delete(slices.Clone(elements), i, i+1)
		lists = append(lists, cmp.Or(strings.Join(less, ","), "none"))
	}
	return lists
}

// breaks shows that the program says why it can't serve on the allowed port.
func (prog program) breaks(p *place) {
	p.Helper()
	refusal := strings.ReplaceAll(prog.refusal, strconv.Itoa(forbidden), strconv.Itoa(allowed))
	s := p.start(prog.restricted(p, allowed)...)
	p.await(func() error {
		ended := s.hasEnded()
		if strings.Contains(s.output(), refusal) {
			return nil
		}
		if ended {
			return fmt.Errorf("%w%s has ended without a word of it", errHopeless, prog.name)
		}
		return fmt.Errorf("with -p %s %s does not say %q", prog.ports, prog.name, refusal)
	}, s.output)
	prog.stop(s)
}

func TestAPortOfTheKernelsChoiceIsLearnedAsSuch(t *testing.T) {
	for _, user := range everybody {
		p := newPlace(t, user, "")
		out, err := p.try("port-restricter", "learn", "--", "network", "test", "hello")
		require.NoError(t, err)
		require.Contains(t, out, "listens on a port that the kernel chose")
		ports := learnedPorts(t, out)
		require.Equal(t, "127.0.0.1:0/tcp", ports)
		out, err = p.try("port-restricter", "-p", ports, "--", "network", "test", "hello")
		require.NoError(t, err)
		require.Equal(t, "hello\n", out)
		_, err = p.try("port-restricter", "-p", "none", "--", "network", "test", "hello")
		require.ErrorContains(t, err, "operation not permitted")
	}
}

// A client binds to port 0, or not at all, and needs nothing.
func TestAClientNeedsNoPort(t *testing.T) {
	p := newPlace(t, "nobody", "")
	server := p.start(dnsmasq(p, allowed)...)
	p.await(func() error {
		out, err := p.try("port-restricter", "learn", "--", "dig", "@127.0.0.1", "-p", "5000",
			"+tries=1", "+short", "hello.test")
		if err == nil {
			require.Contains(t, out, "192.0.2.7")
			require.Equal(t, "none", learnedPorts(t, out))
		}
		return err
	}, server.output)
}

// The status and the output are those of the command.
func TestACommandEndsAsItWouldWithoutLearn(t *testing.T) {
	p := newPlace(t, "nobody", "")
	const bind = `exec(b"import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 5000))")`
	for command, status := range map[string]int{
		"echo hello":                              0,
		"echo hello; exit 3":                      3,
		"echo hello; kill -TERM $$":               128 + int(syscall.SIGTERM),
		"echo hello; python3 -c '" + bind + "' &": 0,
	} {
		s := p.start("sh", "-c", `port-restricter learn -o learned -- sh -c "$0"`, command)
		require.Equal(t, status, s.wait(), command)
		require.Contains(t, s.output(), "hello\n")
		require.NotContains(t, s.output(), "port-restricter -p")
		text, err := os.ReadFile(p.path("learned"))
		require.NoError(t, err)
		ports := "none"
		if strings.Contains(command, "bind") {
			ports = "127.0.0.1:5000/tcp"
		}
		require.Equal(t, ports, learnedPorts(t, string(text)), command)
	}
	out, err := p.try("sh", "-c", "port-restricter learn -- echo hello 2>/dev/null")
	require.NoError(t, err)
	require.Equal(t, "hello\n", out)

	// What was learned before stays where nothing is learned, and a file that can't be written
	// is told at once.
	p.write("before", "before")
	require.NoError(t, os.Chmod(p.path("before"), 0o666))
	_, err = p.try("port-restricter", "learn", "-o", "before", "--", "/nowhere")
	require.ErrorContains(t, err, "exit status 127")
	text, err := os.ReadFile(p.path("before"))
	require.NoError(t, err)
	require.Equal(t, "before", string(text))
	_, err = p.try("port-restricter", "learn", "-o", "/nowhere/x", "--", "touch", p.path("ran"))
	require.ErrorContains(t, err, "open /nowhere/x: no such file")
	require.NoFileExists(t, p.path("ran"))
	_, err = p.try("port-restricter", "learn", "-o", "/dev/full", "--", "true")
	require.ErrorContains(t, err, "exit status 125: port-restricter: write /dev/full")
}

// A server that the user interrupts at a terminal has been learned from.
func TestAnInterruptedServerIsLearnedFrom(t *testing.T) {
	p := newPlace(t, "nobody", "")
	s := p.start("port-restricter", "learn", "--", "python3", "-m", "http.server", "5000")
	p.await(func() error {
		_, err := get(addressOf(allowed), "/")(p)
		return err
	}, s.output)
	require.NoError(t, syscall.Kill(-s.Process.Pid, syscall.SIGINT)) // as ^C
	s.wait()
	require.Equal(t, "0.0.0.0:5000/tcp", learnedPorts(t, s.output()))
}

// Hundreds of binds at the same time, of processes that end at once: none is lost.
func TestNothingIsLostOfACommandInAHurry(t *testing.T) {
	p := newPlace(t, "nobody", "")
	const storm = `
import os, socket
for child in range(20):
    if os.fork() == 0:
        for port in range(6000 + 40 * child, 6040 + 40 * child):
            for again in range(20):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.bind(("127.0.0.1", port))
        os._exit(0)
`
	out, err := p.try("port-restricter", "learn", "--", "python3", "-c", storm)
	require.NoError(t, err)
	ports := strings.Split(learnedPorts(t, out), ",")
	require.Len(t, ports, 800)
	require.Equal(t, "127.0.0.1:6799/udp", ports[799])
	require.Contains(t, out, "127.0.0.1:6000-6799/udp in place of the 800 ports in a row")
}
