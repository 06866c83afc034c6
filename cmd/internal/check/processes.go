package check

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A startTime is when a process was started, or zero if that is unknown. It is later than the real
// time by less than a second.
type startTime struct{ time.Time }

// process returns the process of an engine that reads its configuration at its start, or 0.
func (e engine) process() (pid int, since startTime) {
	if e.daemon == "" {
		return 0, startTime{}
	}
	ours, _ := os.Readlink("/proc/self/ns/mnt")
	return processOf(e.daemon, func(proc string) bool {
		its, err := os.Readlink(filepath.Join(proc, "ns/mnt"))
		return err == nil && its == ours // otherwise it reads other files
	})
}

// processOf returns the first process that executes a program of this name, and whose directory
// in /proc suits, or 0.
func processOf(program string, suits func(proc string) bool) (pid int, since startTime) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		path, err := os.Readlink(link) // fails for processes of other users, if we are not root
		if err != nil || filepath.Base(path) != program || !suits(filepath.Dir(link)) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if ticks, err := startOf(pid); err == nil {
			return pid, sinceBoot(ticks)
		}
	}
	return 0, startTime{}
}

// ticksPerSecond is the unit of times in /proc/PID/stat, which is the same on all machines on
// which port-restricter runs.
const ticksPerSecond = 100

// startOf returns the start of a process, in ticks after the boot.
func startOf(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name of the program is in parentheses, and may contain any byte.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const start = 19 // starttime, counted from the state that follows the name
	if len(fields) <= start {
		return 0, fmt.Errorf("/proc/%d/stat has no start time", pid)
	}
	return strconv.ParseUint(string(fields[start]), 10, 64)
}

func sinceBoot(ticks uint64) startTime {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return startTime{}
	}
	ago := time.Duration(now.Nano()) - time.Duration(ticks)*time.Second/ticksPerSecond
	return startTime{time.Now().Add(-ago)}
}
