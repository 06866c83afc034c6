package listening

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// batch is how many fds are listed at once.
const batch = 512

var errMany = fmt.Errorf("its processes have many fds: only %d were looked at", fdLimit)

// join reports those of the sockets that the processes have fds of.
func (l *look) join(all []process, found sockets) {
	refused := 0
	for _, p := range all {
		if len(found) == 0 {
			break
		}
		err := l.joinOne(p, found)
		if errors.Is(err, errMany) {
			l.miss("%v", err)
			break
		}
		if errors.Is(err, os.ErrPermission) {
			refused++
		} else if err != nil && !gone(err) {
			l.miss("%v", err)
		}
	}
	if refused > 0 {
		l.miss("the fds of %d of %d processes can't be read (permission denied): the agent needs "+
			"CAP_SYS_PTRACE and CAP_DAC_OVERRIDE, or to be their user", refused, len(all))
	}
}

// joinOne reports the sockets of a process. A link in /proc/PID/fd is read without a look at the
// file that it leads to, which may be on a file system that hangs.
func (l *look) joinOne(p process, found sockets) error {
	directory, err := os.Open(p.path("fd"))
	if err != nil {
		return err
	}
	defer directory.Close()
	for {
		names, err := directory.Readdirnames(batch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if l.fds == 0 {
				return errMany
			}
			l.fds--
			link, err := os.Readlink(p.path("fd/" + name))
			if errors.Is(err, os.ErrPermission) {
				return err
			}
			inode, isSocket := socketInode(link)
			socket, ok := found[inode]
			if err != nil || !isSocket || !ok {
				continue
			}
			delete(found, inode)
			socket.Program, socket.PID = p.name, p.pid
			l.Sockets = append(l.Sockets, socket)
		}
	}
}

// socketInode returns N of socket:[N].
func socketInode(link string) (inode uint64, ok bool) {
	text, isSocket := strings.CutPrefix(link, "socket:[")
	inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
	return inode, isSocket && err == nil
}
