package survive

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// killsVariable is the environment variable that says how often the agent is killed.
const killsVariable = "KILLS"

// rate is how many binds a second all containers ask for together.
const rate = 2000

// storeRoom are the settings of a unit that keeps 10,000 sessions.
const storeRoom = "FileDescriptorStoreMax=12000\nEnvironment=FDSTORE=12000"

// BenchmarkRestart kills the agent again and again while containers bind, and prints what they
// notice.
func BenchmarkRestart(b *testing.B) {
	kills := 1000
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(b, err, killsVariable)
	}
	s := newStand(b)
	fmt.Printf("\n### %d kills while N containers bind\n\n"+
		"| N | kills | binds asked | lost | wrong | p50 | 99 %% | longest "+
		"| kill to serving, p50 | 99 %% | longest |\n"+
		"|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n", kills)
	for _, n := range []int{100, 1000} {
		a := startAgent(b)
		c, end := startCrowd(b, s.crowd, n, 10000, rate)
		asker := s.asker(b)
		awaitStored(b, n+1)
		quiet := c.during(func() { time.Sleep(10 * time.Second) })
		fmt.Printf("| %d | 0 | %s | | | |\n", n, quiet)
		var took []time.Duration
		result := c.during(func() {
			for range kills {
				time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
				took = append(took, a.timeKill(asker))
			}
		})
		slices.Sort(took)
		fmt.Printf("| %d | %d | %s | %s | %s | %s |\n", n, kills, result,
			short(took[kills/2]), short(took[kills*99/100]), short(took[kills-1]))
		end()
		a.ctl(append([]string{"stop"}, agentUnits...)...)
	}
}

// BenchmarkStore prints what it costs systemd to keep N sessions, and to hand them over.
func BenchmarkStore(b *testing.B) {
	s := newStand(b)
	fmt.Print("\n### N sessions in the fd store\n\n" +
		"| N | attached per second | stored per second | 200 more, attached per second " +
		"| CPU of PID 1 per session | kill to serving | CPU of PID 1 per restart |\n" +
		"|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, n := range []int{100, 1000, 10000} {
		a := startAgent(b, storeRoom)
		before, began := cpuOfPID1(b), time.Now()
		c, end := startCrowd(b, s.crowd, n, 10000, rate)
		awaitStored(b, n)
		stored, cpu := time.Since(began), cpuOfPID1(b)-before
		further, endFurther := startCrowd(b, s.crowd, 200, 30000, rate)
		asker := s.asker(b)
		awaitStored(b, n+200+1)
		before = cpuOfPID1(b)
		var took []time.Duration
		const kills = 5
		for range kills {
			took = append(took, a.timeKill(asker))
			time.Sleep(time.Second) // until the service is active
		}
		slices.Sort(took)
		fmt.Printf("| %d | %.0f | %.0f | %.0f | %s | %s | %s |\n", n, float64(n)/c.attach.Seconds(),
			float64(n)/stored.Seconds(), 200/further.attach.Seconds(),
			short(cpu/time.Duration(n)), short(took[kills/2]),
			short((cpuOfPID1(b)-before)/kills))
		endFurther()
		end()
		a.ctl(append([]string{"stop"}, agentUnits...)...)
	}
}

// A stand has the compiled programs of testdata.
type stand struct{ crowd, attach, ask string }

func newStand(b *testing.B) stand {
	b.Helper()
	compiled := func(name string) string { return compile(b, "/usr/bin", name) }
	return stand{compiled("crowd"), compiled("attach"), compiled("ask")}
}

const askerPort = 9000

// asker starts a container that may bind askerPort.
func (s stand) asker(b *testing.B) asker {
	b.Helper()
	command := exec.Command(s.attach, agentSocket, fmt.Sprint(askerPort), s.ask)
	return startAskerBy(b, command).isReady()
}

// timeKill kills the agent, and returns how long it took from then until the next one has
// answered a bind.
func (a agent) timeKill(asker asker) time.Duration {
	a.t.Helper()
	pidfd, err := unix.PidfdOpen(a.pid(), 0)
	require.NoError(a.t, err)
	defer unix.Close(pidfd)
	start := time.Now()
	require.NoError(a.t, unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0))
	// Until then, a thread of the agent may run.
	_, err = unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
	require.NoError(a.t, err)
	require.Equal(a.t, "works", asker.bind(askerPort))
	return time.Since(start)
}

// awaitStored waits until systemd keeps the notify fds of n sessions.
func awaitStored(b *testing.B, n int) {
	b.Helper()
	require.Eventually(b, func() bool {
		fds, err := filepath.Glob("/proc/1/fd/*")
		stored := 0
		for _, fd := range fds {
			if to, _ := os.Readlink(fd); to == "anon_inode:seccomp notify" {
				stored++
			}
		}
		return err == nil && stored == n
	}, 10*patience, 50*time.Millisecond)
}

// cpuOfPID1 returns how long PID 1 has run on a CPU.
func cpuOfPID1(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile("/proc/1/schedstat")
	require.NoError(b, err)
	ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
	require.NoError(b, err)
	return time.Duration(ns)
}

func (t tally) String() string {
	return fmt.Sprintf("%d | %d | %d | %s | %s | %s",
		t.asked, t.lost, t.wrong, short(t.p50), short(t.p99), short(t.longest))
}

func short(d time.Duration) string {
	if d < time.Millisecond {
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	}
	return fmt.Sprintf("%.1f ms", float64(d)/1e6)
}
