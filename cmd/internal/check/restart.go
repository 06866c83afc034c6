package check

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"time"
)

const (
	serviceUnit = "port-restricter.service"
	socketUnit  = "port-restricter.socket"

	// systemctlLimit is how long systemctl(1) may take.
	systemctlLimit = 10 * time.Second
	// firstWithFDStore is the first systemd that tells a service how much it keeps.
	firstWithFDStore = 254
)

// restart says whether the containers of the agent would survive its restart.
func restart(s server) Result {
	const name, lost = "restart", "a restart of the agent ends the binds of its containers"
	const install = "run it as a service, with the units in deploy/systemd (docs/operate.md)"
	unit := s.unit()
	if unit == "" {
		return warn(name, install, "%s: no systemd unit runs it", lost)
	}
	service, err := s.show(unit, "ActiveState", "FileDescriptorStoreMax", "NFileDescriptorStore",
		"Restart", "Environment")
	if err != nil {
		return warn(name, "", "it is unknown what a restart does: %v", err)
	}
	limit, _ := strconv.Atoi(service["FileDescriptorStoreMax"])
	kept, _ := strconv.Atoi(service["NFileDescriptorStore"])
	edit := "systemctl " + s.scope() + "edit " + unit
	switch {
	case limit == 0:
		return warn(name, "set FileDescriptorStoreMax=8192 and Environment=FDSTORE=8192: "+edit,
			"%s: %s keeps no fd for it", lost, unit)
	case !s.tells(service["Environment"]):
		return warn(name, fmt.Sprintf("set Environment=FDSTORE=%d: %s", limit, edit),
			"%s: %s does not tell it that it keeps fds", lost, unit)
	case service["Restart"] != "always":
		return warn(name, "set Restart=always: "+edit,
			"a crash of the agent ends the binds of its containers: %s has Restart=%s",
			unit, service["Restart"])
	case !s.bySystemd():
		return warn(name, "systemctl "+s.scope()+"enable --now "+socketUnit,
			"the containers survive a restart of %s, but one that starts meanwhile fails:"+
				" the socket is the agent's own", unit)
	case kept >= limit:
		return warn(name, "raise FileDescriptorStoreMax= and FDSTORE= (docs/operate.md): "+edit,
			"%s keeps %d fds and no more: further containers would not survive a restart",
			unit, kept)
	}
	socket, err := s.show(socketUnit, "UnitFileState")
	if state := socket["UnitFileState"]; err == nil && state != "enabled" {
		return warn(name, "systemctl "+s.scope()+"enable "+socketUnit,
			"the containers survive a restart of %s, but after a boot there is no socket:"+
				" %s is %s", unit, socketUnit, cmp.Or(state, "not installed"))
	}
	return ok(name, "the containers survive a restart of %s, which keeps %d of %d fds",
		unit, kept, limit)
}

// unit returns the systemd unit that runs the agent, or "".
func (s server) unit() string {
	if s.bySystemd() {
		return serviceUnit
	}
	cgroups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", s.Pid))
	for line := range strings.Lines(string(cgroups)) {
		// The line of cgroup v2, or that of systemd's own hierarchy of v1: ID:CONTROLLER:PATH.
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 || fields[1] != "" && fields[1] != "name=systemd" {
			continue
		}
		if last := path.Base(fields[2]); strings.HasSuffix(last, ".service") &&
			!strings.HasPrefix(last, "user@") {
			return last
		}
	}
	return ""
}

// ofUser reports whether the systemd of an ordinary user runs the agent.
func (s server) ofUser() bool { return s.Uid != 0 && int(s.Uid) == os.Geteuid() }

// scope returns the option of systemctl(1) and journalctl(1) for the systemd that runs the agent.
func (s server) scope() string {
	if s.ofUser() {
		return "--user "
	}
	return ""
}

// show returns properties of a unit.
func (s server) show(unit string, properties ...string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), systemctlLimit)
	defer cancel()
	args := append(strings.Fields(s.scope()),
		"show", "--property="+strings.Join(properties, ","), unit)
	out, err := exec.CommandContext(ctx, "systemctl", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("systemctl %s: %w", strings.Join(args, " "), err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			found[key] = value
		}
	}
	return found, nil
}

// tells reports whether the service knows that its fds are kept: by its environment, or by
// systemd itself.
func (s server) tells(environment string) bool {
	if strings.Contains(" "+environment, " FDSTORE=") {
		return true
	}
	version, err := s.show("", "Version")
	if err != nil {
		return false
	}
	// "254.5-1 (Debian)", for example.
	number, _, _ := strings.Cut(version["Version"], " ")
	major, _, _ := strings.Cut(number, ".")
	first, _, _ := strings.Cut(major, "-")
	n, _ := strconv.Atoi(strings.TrimPrefix(first, "v"))
	return n >= firstWithFDStore
}
