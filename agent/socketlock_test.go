package agent

import (
	"net"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/rerun"
)

// A thread that sends from a page that never comes holds its socket's lock for
// as long. Who asks for that socket waits; but Go must know that it does, or it
// waits, too, the next time that it stops all threads to collect its garbage.
func TestASocketsLockHoldsUpNobodyElse(t *testing.T) {
	if !rerun.InProcess(t, 0) {
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	file, err := conn.(*net.TCPConn).File()
	require.NoError(t, err)
	socket := int(file.Fd())
	go func() { _, _ = unix.Write(socket, missingPage(t)) }()
	done := make(chan struct{})
	require.Eventually(t, func() bool { // it has the lock
		go func() {
			_, _ = localAddress(socket)
			close(done)
		}()
		select {
		case <-done:
			done = make(chan struct{})
			return false
		case <-time.After(100 * time.Millisecond):
			return true
		}
	}, time.Minute, time.Millisecond)
	kind, err := kindOf(socket)
	require.NoError(t, err)
	require.Equal(t, socketKind{unix.AF_INET, unix.IPPROTO_TCP}, kind)
	runtime.GC()
	select {
	case <-done:
		require.Fail(t, "the lock was not held")
	default:
	}
}

// missingPage is memory that whoever reads it waits for, for ever: userfaultfd(2).
func missingPage(t *testing.T) []byte {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	require.Zero(t, errno)
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	const ioctlAPI, ioctlRegister, version, missing = 0xc018aa3f, 0xc020aa00, 0xaa, 1 // linux/userfaultfd.h
	api := struct{ version, features, ioctls uint64 }{version: version}
	require.NoError(t, ioctl(int(fd), ioctlAPI, unsafe.Pointer(&api)))
	pages := struct{ start, length, mode, ioctls uint64 }{uint64(uintptr(unsafe.Pointer(&page[0]))), uint64(len(page)), missing, 0}
	require.NoError(t, ioctl(int(fd), ioctlRegister, unsafe.Pointer(&pages)))
	return page
}
