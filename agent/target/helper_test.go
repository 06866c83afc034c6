package target

import (
	"encoding/binary"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The fd that a target names as its socket may be a file on a FUSE whose server lets
// the agent close the file and no other process. A helper that is forked for another
// container at that moment must not have a copy of the file: it would hang when it
// closes the copy.
func TestAHelperHasNoFileOfAnotherTarget(t *testing.T) {
	runtime.LockOSThread() // never unlocked: the thread gets a mount namespace of its own
	_, err := theSpawner() // an agent has it before it has a file of a target
	require.NoError(t, err)
	process := exec.Command("sleep", "infinity")
	require.NoError(t, process.Start())
	defer func() {
		require.NoError(t, process.Process.Kill())
		_ = process.Wait()
	}()
	fd := openFUSE(t)
	duplicate, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 64)
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd)) // tells the server which file table is the first
	defer unix.Close(duplicate)

	target, err := open(uint32(process.Process.Pid))
	require.NoError(t, err)
	defer target.Close()
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(socket)
	name := append([]byte{unix.AF_UNIX, 0, 0}, fmt.Sprintf("helper of %d", process.Process.Pid)...)
	bind := Call{Kind: Bind, Socket: socket, Argument: name}
	start := time.Now()
	require.NoError(t, target.MakeCall(bind, func() bool { return true }))
	require.Less(t, time.Since(start), 5*time.Second)
}

// openFUSE opens a file on a FUSE file system. Only the file table that closes it
// first can close it: in any other one, close(2) hangs.
func openFUSE(t *testing.T) int {
	device, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	require.NoError(t, err)
	point := filepath.Join(t.TempDir(), "file")
	fd, err := unix.Open(point, unix.O_CREAT|unix.O_CLOEXEC|unix.O_WRONLY, 0o600)
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))
	require.NoError(t, unix.Unshare(unix.CLONE_NEWNS))
	require.NoError(t, unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	options := fmt.Sprintf("fd=%d,rootmode=100600,user_id=0,group_id=0", device)
	require.NoError(t, unix.Mount("test", point, "fuse", 0, options))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		defer unix.Close(device) // ends every call that waits for the server
		serveFUSE(device, stop)
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		require.NoError(t, unix.Unmount(point, unix.MNT_DETACH))
	})
	fd, err = unix.Open(point, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	return fd
}

// serveFUSE answers the requests that the kernel writes to device, in the protocol of
// linux/fuse.h. It leaves a flush unanswered if it comes from another file table (lock
// owner) than the first flush.
func serveFUSE(device int, stop <-chan struct{}) {
	const getattr, open, flush, initialize = 3, 14, 25, 26
	const patience = 30 * time.Second // then a helper that hangs is freed, and the test fails
	request, order := make([]byte, 1<<17), binary.NativeEndian
	var owner uint64
	for start := time.Now(); time.Since(start) < patience; {
		select {
		case <-stop:
			return
		default:
		}
		if n, err := unix.Read(device, request); err != nil || n < 40 {
			time.Sleep(time.Millisecond)
			continue
		}
		var body []byte
		errno := unix.Errno(0)
		switch order.Uint32(request[4:]) {
		case initialize:
			body = make([]byte, 64)
			order.PutUint32(body, 7)
			order.PutUint32(body[4:], 31)
			order.PutUint32(body[20:], 4096) // max_write
		case getattr:
			body = make([]byte, 104)
			order.PutUint64(body[16:], 1)
			order.PutUint32(body[76:], unix.S_IFREG|0o600)
			order.PutUint32(body[80:], 1)
		case open:
			body = make([]byte, 16)
		case flush:
			by := order.Uint64(request[56:])
			if owner == 0 {
				owner = by
			}
			if owner != by {
				continue
			}
		default:
			errno = unix.ENOSYS
		}
		head := make([]byte, 16)
		order.PutUint32(head, uint32(len(head)+len(body)))
		order.PutUint32(head[4:], uint32(-int32(errno)))
		copy(head[8:], request[8:16]) // unique
		_, _ = unix.Write(device, append(head, body...))
	}
}
