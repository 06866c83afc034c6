package supervise

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A daemon is what a command leaves behind that forks into the background, once its first
// process has ended with success. A nil *daemon is that of a command which does not.
type daemon struct {
	pidFile string
	manager *notifications
	awaited bool         // the first process has ended with success
	pid     atomic.Int64 // 0 until it is known
}

func newDaemon(pidFile string, manager *notifications) *daemon {
	return &daemon{pidFile: pidFile, manager: manager}
}

// appear waits for the daemon and tells the service manager that the service is ready.
// For systemd, a service of Type=forking is ready when its first process has ended and
// its PID file is there. Without a PID file, no process is the daemon's main one.
func (d *daemon) appear() {
	for d.pidFile != "" && d.pid.Load() == 0 {
		// The file can be one of an earlier run, or not be written yet.
		text, _ := os.ReadFile(d.pidFile)
		if pid, _ := strconv.Atoi(strings.TrimSpace(string(text))); pid > 1 && descends(pid) {
			d.pid.Store(int64(pid))
		} else {
			time.Sleep(10 * time.Millisecond)
		}
	}
	d.manager.send("READY=1")
}

// missed returns what to say of a PID file by which no daemon was found, or "". It is to be called
// when the command and its descendants are gone.
func (d *daemon) missed() string {
	if d == nil || d.pidFile == "" || !d.awaited || d.pid.Load() != 0 {
		return ""
	}
	return fmt.Sprintf("--pid-file %s: it named no process that the command left, so the exit "+
		"status is that of the command: is the path the one that the daemon writes?", d.pidFile)
}

// is reports whether a process is the main one of the daemon.
func (d *daemon) is(pid int) bool { return d != nil && d.pid.Load() == int64(pid) }
