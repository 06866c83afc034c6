package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// self is this program, also where its path can't be reached.
const self = "/proc/self/exe"

// runLimit is how long a process that runs a probe may take: the probe ends itself before.
const runLimit = probeLimit + 10*time.Second

// errStuck means that a probe ended itself.
var errStuck = fmt.Errorf("a bind had no answer within %s", probeLimit)

// run runs this program with arguments that make it run a probe, and returns what the probe
// found. An error is what the program says.
func run(attributes *syscall.SysProcAttr, args ...string) (Ends, error) {
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	command := exec.CommandContext(ctx, self, args...)
	command.SysProcAttr = attributes
	command.Cancel = func() error { return command.Process.Signal(unix.SIGTERM) }
	command.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		if command.ProcessState != nil && command.ProcessState.ExitCode() == stuck {
			return Ends{}, errStuck
		}
		text := strings.TrimSpace(said.String())
		if text == "" {
			return Ends{}, err
		}
		return Ends{}, errors.New(strings.ReplaceAll(
			strings.ReplaceAll(text, "port-restricter: ", ""), "\n", "; "))
	}
	var ends Ends
	if err := json.Unmarshal(out, &ends); err != nil {
		return Ends{}, fmt.Errorf("read what the restricted process found, %q: %w", out, err)
	}
	return ends, nil
}

// encode returns the probe as an argument for RunProbe.
func (p Probe) encode() string {
	text, _ := json.Marshal(p) // numbers and a path
	return string(text)
}

// judge returns what is wrong with the ends of the two binds that every probe makes, or "".
func (e Ends) judge(p Probe) string {
	switch {
	case e.Allowed != 0:
		return fmt.Sprintf("port %d is allowed, and a bind to it failed: %v", p.Allowed, e.Allowed)
	case e.Listen != 0:
		return fmt.Sprintf("port %d is allowed, and listen(2) failed: %v", p.Allowed, e.Listen)
	case e.Refused == 0:
		return fmt.Sprintf("port %d is not allowed, and was bound all the same", p.Refused)
	case e.Refused != unix.EPERM:
		return fmt.Sprintf("port %d is not allowed, and a bind to it failed with the wrong error:"+
			" %v", p.Refused, e.Refused)
	}
	return ""
}
