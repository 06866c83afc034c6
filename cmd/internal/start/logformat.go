package start

import (
	"fmt"
	"net"
	"strings"

	"github.com/sirupsen/logrus"
)

// A lineFormatter formats the log of the command line: one line per decision or
// error. Each line begins with port-restricter, since the restricted command writes to
// the same stderr.
type lineFormatter struct{}

func (lineFormatter) Format(entry *logrus.Entry) ([]byte, error) {
	if _, ok := entry.Data["decision"]; !ok && entry.Level > logrus.WarnLevel {
		return nil, nil // the supervisor's start and end, of no interest here
	}
	var line strings.Builder
	line.WriteString("port-restricter: " + entry.Message)
	if protocol, ok := entry.Data["protocol"]; ok {
		address, port := fmt.Sprint(entry.Data["address"]), fmt.Sprint(entry.Data["port"])
		fmt.Fprintf(&line, " %v %s", protocol, net.JoinHostPort(address, port))
	}
	if port, ok := entry.Data["bound_port"]; ok {
		fmt.Fprintf(&line, " to port %v", port)
	}
	if pid, ok := entry.Data["pid"]; ok {
		fmt.Fprintf(&line, " by process %v", pid)
	}
	if program, ok := entry.Data["program"]; ok {
		fmt.Fprintf(&line, " (%v)", program)
	}
	if count, ok := entry.Data["count"]; ok {
		fmt.Fprintf(&line, " %v times", count)
	}
	for _, key := range []string{"errno", "reason", "among", logrus.ErrorKey} {
		if value, ok := entry.Data[key]; ok {
			fmt.Fprintf(&line, ", %s: %v", key, value)
		}
	}
	line.WriteByte('\n')
	return []byte(line.String()), nil
}
