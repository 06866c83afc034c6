package agent_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// An agent serves the containers that OCI runtimes send to its socket. The session of
// each is attached with the policy that its annotations ask for.
func Example() {
	log := logrus.New()
	listener, err := agent.Listen("/run/port-restricter/agent.sock", log)
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	policy := func(state *specs.ContainerProcessState) (config.Policy, error) {
		container := config.Container{
			ID: state.State.ID, Annotations: state.State.Annotations,
		}
		return config.FromState(container, state.Metadata, config.Rules{})
	}
	supervisor, err := agent.NewSupervisor(log, policy)
	if err != nil {
		log.Fatal(err)
	}
	defer supervisor.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := listener.Serve(ctx, supervisor); err != nil {
		log.Fatal(err)
	}
}

// A thread loads the filter, and its notify fd becomes a session: from then on the
// supervisor answers the thread's binds.
func ExampleSupervisor_Attach() {
	log := logrus.New()
	log.SetOutput(io.Discard)
	supervisor, err := agent.NewSupervisor(log,
		func(*specs.ContainerProcessState) (config.Policy, error) {
			return config.ParsePolicy(config.Texts{Ports: "127.0.0.1:0"})
		})
	if err != nil {
		panic(err)
	}
	defer supervisor.Close()

	loaded, attached, done := make(chan int), make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		loaded <- loadFilter()
		<-attached
		for _, address := range []string{"127.0.0.1:0", "127.0.0.1:5001"} {
			listener, err := net.Listen("tcp", address)
			fmt.Println(address, err)
			if err == nil {
				listener.Close()
			}
		}
	}()
	attached <- supervisor.Attach(&specs.ContainerProcessState{}, <-loaded)
	<-done
	// Output:
	// 127.0.0.1:0 <nil>
	// 127.0.0.1:5001 listen tcp 127.0.0.1:5001: bind: operation not permitted
}

// loadFilter loads the filter in this thread and returns its notify fd.
func loadFilter() (notifyFD int) {
	program, err := filter.Compile(filter.Profile(filter.Options{}))
	if err != nil {
		panic(err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	code := program.Instructions
	fprog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		panic(errno)
	}
	return int(fd)
}
