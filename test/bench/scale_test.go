package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// BenchmarkScale prints the memory, threads, fds and time that an agent needs for N
// containers. Each container is a process under a filter of its own.
func BenchmarkScale(b *testing.B) {
	s := newStand(b)
	crowd := s.compile("crowd", filepath.Join(s.dir, "crowd"))
	fmt.Print("\n### N containers on one agent\n\n" +
		"| N | attached per second | RSS | RSS per session | threads | fds | CPU time in 2 idle s" +
		" | bind, mean | 99 % | mean, ratio to N = 1 |\n" +
		"|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	var first time.Duration
	for _, n := range []int{1, 100, 1000, 10000} {
		agent := runc.StartQuietAgent(b)
		before := usageOf(b, agent.Pid())
		command := exec.Command(crowd, agent.Socket, fmt.Sprint(n), "20000")
		command.Stderr, command.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Setpgid: true}
		stdin, err := command.StdinPipe()
		require.NoError(b, err)
		stdout, err := command.StdoutPipe()
		require.NoError(b, err)
		require.NoError(b, command.Start())
		line, err := bufio.NewReader(stdout).ReadString('\n')
		require.NoError(b, err)
		var attach time.Duration
		var m measurement
		_, err = fmt.Sscan(line, &attach, &m.mean, &m.p50, &m.p99)
		require.NoError(b, err, line)
		if first == 0 {
			first = m.mean
		}
		time.Sleep(3 * time.Second)
		full := usageOf(b, agent.Pid())
		time.Sleep(2 * time.Second)
		idle := usageOf(b, agent.Pid())
		fmt.Printf("| %d | %.0f | %d KiB | %.1f KiB | %d | %d | %d ms | %s | %s | %.2f |\n",
			n, float64(n)/attach.Seconds(), full.rss, float64(full.rss-before.rss)/float64(n),
			idle.threads, idle.fds, (idle.cpu - full.cpu).Milliseconds(),
			short(int64(m.mean)), short(int64(m.p99)), float64(m.mean)/float64(first))
		require.NoError(b, stdin.Close())
		_ = command.Wait() // crowd kills its own process group, so it fails
		agent.Stop(b)
	}
}

// BenchmarkChurn prints the memory, threads and fds that an agent still holds after
// 100,000 containers that attached, bound a port and ended.
func BenchmarkChurn(b *testing.B) {
	s := newStand(b)
	crowd, agent := s.compile("crowd", filepath.Join(s.dir, "crowd")), runc.StartQuietAgent(b)
	fmt.Print("\n### Containers that attach, bind and end\n\n" +
		"| so far | per second | RSS | threads | fds |\n|---:|---:|---:|---:|---:|\n")
	const each = 20000
	for sum := 0; ; sum += each {
		time.Sleep(time.Second) // until the last containers are detached
		u := usageOf(b, agent.Pid())
		if sum == 0 {
			fmt.Printf("| 0 | | %d KiB | %d | %d |\n", u.rss, u.threads, u.fds)
		}
		if sum == 5*each {
			return
		}
		start := time.Now()
		command := exec.Command(crowd, agent.Socket, fmt.Sprint(each), "0")
		command.Stderr = os.Stderr
		require.NoError(b, command.Run())
		took := time.Since(start)
		time.Sleep(time.Second)
		u = usageOf(b, agent.Pid())
		fmt.Printf("| %d | %.0f | %d KiB | %d | %d |\n",
			sum+each, each/took.Seconds(), u.rss, u.threads, u.fds)
	}
}

// A usage says what resources a process uses.
type usage struct {
	rss, threads, fds int // RSS in KiB
	cpu               time.Duration
}

// usageOf reads the usage of a process from proc(5).
func usageOf(b *testing.B, pid int) (u usage) {
	b.Helper()
	proc := fmt.Sprintf("/proc/%d", pid)
	file, err := os.Open(proc + "/status")
	require.NoError(b, err)
	defer file.Close()
	status, err := io.ReadAll(file)
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		switch words := strings.Fields(line); words[0] {
		case "VmRSS:":
			u.rss, err = strconv.Atoi(words[1])
		case "Threads:":
			u.threads, err = strconv.Atoi(words[1])
		}
		require.NoError(b, err)
	}
	fds, err := os.ReadDir(proc + "/fd")
	require.NoError(b, err)
	u.fds = len(fds)
	stat, err := os.ReadFile(proc + "/stat")
	require.NoError(b, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, field := range fields[11:13] { // utime and stime, in units of 10 ms
		ticks, err := strconv.Atoi(field)
		require.NoError(b, err)
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	return u
}
