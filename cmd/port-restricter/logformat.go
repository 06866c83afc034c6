package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/sirupsen/logrus"
)

// decisionFormatter prints what -v shows: one line a decision, behind our name,
// since the command writes to the same stream.
type decisionFormatter struct{}

func (decisionFormatter) Format(entry *logrus.Entry) ([]byte, error) {
	if _, ok := entry.Data["decision"]; !ok && entry.Level > logrus.WarnLevel {
		return nil, nil // that the engine began and ended is no news here
	}
	var line strings.Builder
	line.WriteString("port-restricter: " + entry.Message)
	if protocol, ok := entry.Data["protocol"]; ok {
		address := net.JoinHostPort(fmt.Sprint(entry.Data["address"]), fmt.Sprint(entry.Data["port"]))
		fmt.Fprintf(&line, " %v %s", protocol, address)
	}
	if pid, ok := entry.Data["pid"]; ok {
		fmt.Fprintf(&line, " by process %v", pid)
	}
	for _, key := range []string{"errno", "reason", logrus.ErrorKey} {
		if value, ok := entry.Data[key]; ok {
			fmt.Fprintf(&line, ", %s: %v", key, value)
		}
	}
	line.WriteByte('\n')
	return []byte(line.String()), nil
}
