package supervise

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary is also the command under test (supervise HOW CMD…), its child, and a CMD (probe WAIT SIGNALS…).
func TestMain(m *testing.M) {
	mode := ""
	if len(os.Args) > 2 {
		mode = os.Args[1]
	}
	switch mode {
	case ChildCommand:
		_ = testChild(os.Args[2]).Exec(os.Args[3:])
		os.Exit(1)
	case "supervise":
		how := os.Args[2]
		status, err := Command{
			Args:       os.Args[3:],
			ChildFlags: []string{how},
			Attach:     func(conn *net.UnixConn) error { return testAttach(how, conn) },
		}.Run()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(status)
	case "probe":
		probe(os.Args[2], os.Args[3:])
	case "queued":
		queued(os.Args[2])
	}
	os.Exit(m.Run())
}

// testChild sends one end of a pipe for a notify fd; how says what goes wrong.
func testChild(how string) Child {
	return Child{
		Lock: func() error {
			if how == "lock fails" {
				return errors.New("no lock today")
			}
			return nil
		},
		Load: func() (int, error) {
			switch how {
			case "load fails":
				return -1, errors.New("no filter today")
			case "killed":
				_ = unix.Kill(os.Getpid(), unix.SIGUSR1) // which Go would ignore
			case "stopped":
				_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
			}
			var ends [2]int
			err := unix.Pipe2(ends[:], unix.O_CLOEXEC)
			return ends[0], err
		},
		Send: func(conn *net.UnixConn, fd int) error {
			_, _, err := conn.WriteMsgUnix([]byte("{}"), unix.UnixRights(fd), nil)
			return err
		},
	}
}

func testAttach(how string, conn *net.UnixConn) error {
	if how == "attach fails" || how == "stopped" {
		return errors.New("no engine today")
	}
	_, n, _, _, err := conn.ReadMsgUnix(make([]byte, 16), make([]byte, unix.CmsgSpace(4)))
	if err == nil && n == 0 {
		err = errors.New("no fd came")
	}
	return err
}

// probe prints its parent once ready, then each of the signals (numbers) that comes and each line of its input, until SIGTERM.
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

// queued prints the value that comes with a signal that was blocked at start.
func queued(sig string) {
	n, _ := strconv.Atoi(sig)
	fd, err := unix.Signalfd(-1, &unix.Sigset_t{Val: [16]uint64{1 << (n - 1)}}, unix.SFD_CLOEXEC)
	fmt.Println("ready", err)
	info := make([]byte, 128)
	_, err = unix.Read(fd, info)
	fmt.Println("value", info[44], err)
	os.Exit(0)
}
