package supervise

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain makes the test binary serve in four roles: as the tests, which run isolated,
// as a supervisor (arguments: supervise HOW CMD…), as two programs to be supervised
// (probe WAIT SIGNAL…, and queued SIGNAL), and as a service manager's child that executes a
// program (activated ENTRIES PROGRAM…).
func TestMain(m *testing.M) {
	mode := ""
	if len(os.Args) > 2 {
		mode = os.Args[1]
	}
	switch mode {
	case "supervise":
		status, err := testCommand(os.Args[2], os.Args[3:]).Run()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(status)
	case "probe":
		probe(os.Args[2], os.Args[3:])
	case "queued":
		queued(os.Args[2])
	case "activated":
		activated(os.Args[2], os.Args[3:])
	}
	os.Exit(runIsolated(m))
}

// testCommand returns a command under a filter that permits every call. how names what
// goes wrong, or is forks:FILE for a command that forks into the background.
func testCommand(how string, args []string) Command {
	filter := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	attach := func(_, notifyFD int) error { return unix.Close(notifyFD) }
	refuse := func(_, _ int) error { return errors.New("no supervisor today") }
	c := Command{Args: args, Ruleset: -1, Attach: attach}
	switch how {
	case "lock fails":
		c.Ruleset = 0 // not a ruleset
	case "load fails":
		filter.Code = unix.BPF_LD // the filter never returns
	case "killed":
		filter.K = unix.SECCOMP_RET_KILL_PROCESS
	case "served":
		c.Attach = func(_, _ int) error { return nil }
	case "attach fails":
		c.Attach = refuse
	case "stopped":
		c.Attach = func(pid, fd int) error {
			_ = unix.Kill(pid, unix.SIGSTOP)
			return refuse(pid, fd)
		}
	}
	if file, forks := strings.CutPrefix(how, "forks:"); forks {
		c.Forks, c.PIDFile = true, file
	}
	c.Filter = []unix.SockFilter{filter}
	if what, ok := strings.CutPrefix(how, "refuse "); ok {
		what, errno, _ := strings.Cut(what, " ")
		n, _ := strconv.Atoi(errno)
		c.Filter = refusal(what, unix.Errno(n))
	}
	return c
}

// probe prints its parent once it is ready, and then each of the given signals and each
// line of its input that it gets. SIGTERM ends it. If wait is "adopted", it waits for a
// new parent first.
func probe(wait string, signals []string) {
	caught := make(chan os.Signal, 100)
	signal.Notify(caught, syscall.SIGTERM)
	for _, s := range signals {
		n, _ := strconv.Atoi(s)
		signal.Notify(caught, syscall.Signal(n))
	}
	if parent := os.Getppid(); wait == "adopted" {
		fmt.Println("waiting")
		for os.Getppid() == parent {
		}
	}
	fmt.Println("ready", os.Getppid())
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			fmt.Println("got", lines.Text())
		}
	}()
	for sig := range caught {
		fmt.Printf("signal %d\n", sig)
		if sig == syscall.SIGTERM {
			os.Exit(0)
		}
	}
}

// queued prints the value that comes with a signal. The signal must be blocked at start.
func queued(sig string) {
	n, _ := strconv.Atoi(sig)
	set := unix.Sigset_t{Val: [16]uint64{1 << (n - 1)}}
	fd, err := unix.Signalfd(-1, &set, unix.SFD_CLOEXEC)
	fmt.Println("ready", err)
	info := make([]byte, 128)
	_, err = unix.Read(fd, info)
	fmt.Println("value", info[44], err)
	os.Exit(0)
}

// activated executes a program with an environment of the given entries, which are
// separated by blanks. In an entry, PID! is the id of this process.
func activated(entries string, args []string) {
	env := strings.Split(strings.ReplaceAll(entries, "PID!", strconv.Itoa(os.Getpid())), " ")
	panic(unix.Exec(args[0], args, env))
}
