package node

import (
	"context"
	"fmt"
	"net"
	"os"
	"path"
	"strings"
	"time"

	"github.com/port-restricter/port-restricter/hook/engines"
)

// The engines that --engine knows.
const (
	Containerd = "containerd"
	CRIO       = "crio"
)

// A distribution is a way in which a node runs its engine.
type distribution struct {
	name   string
	engine string
	// units are the possible services with the engine in them; one runs.
	units []string
	// containerd says where containerd's configuration is.
	containerd engines.ContainerdFiles
	// rereads means that the engine reads its configuration again by itself.
	rereads bool
}

// distributions are those that are known. The special ones come first: the last two have what is
// left.
var distributions = []distribution{
	{"k3s", Containerd, []string{"k3s.service", "k3s-agent.service"}, rancher("k3s"), false},
	{"RKE2", Containerd, []string{"rke2-server.service", "rke2-agent.service"},
		rancher("rke2"), false},
	{"MicroK8s", Containerd, []string{"snap.microk8s.daemon-containerd.service"},
		engines.ContainerdFiles{
			Main:   "/var/snap/microk8s/current/args/containerd-template.toml",
			DropIn: "/var/snap/microk8s/current/args/port-restricter.toml",
		}, false},
	{"k0s", Containerd, []string{"k0scontroller.service", "k0sworker.service"},
		engines.ContainerdFiles{
			Main:      "/etc/k0s/containerd.toml",
			DropIn:    "/etc/k0s/containerd.d/port-restricter.toml",
			Generated: true, Merged: true,
		}, true},
	{"CRI-O", CRIO, []string{"crio.service"}, engines.ContainerdFiles{}, false},
	{"containerd", Containerd, []string{"containerd.service"}, engines.ContainerdFiles{}, false},
}

// rancher returns the files of k3s and of RKE2, which write the main one anew at each start.
func rancher(name string) engines.ContainerdFiles {
	dir := "/var/lib/rancher/" + name + "/agent/etc/containerd/"
	return engines.ContainerdFiles{
		Main:      dir + "config.toml",
		DropIn:    dir + "config-v3.toml.d/port-restricter.toml",
		Generated: true,
	}
}

// detect returns the distribution that runs an engine of this name, or any engine for "", and the
// unit that runs.
func detect(
	ctx context.Context, isActive func(context.Context, string) (bool, error), engine string,
) (distribution, string, error) {
	var asked []string
	for _, d := range distributions {
		if engine != "" && d.engine != engine {
			continue
		}
		for _, unit := range d.units {
			active, err := isActive(ctx, unit)
			if err != nil {
				return distribution{}, "", err
			}
			if active {
				return d, unit, nil
			}
			asked = append(asked, unit)
		}
	}
	return distribution{}, "", fmt.Errorf("no engine of this node was found: none of its units %s "+
		"runs", strings.Join(asked, ", "))
}

// plan returns the change to the engine's configuration.
func (d distribution) plan(n Node, remove bool) (*engines.Plan, error) {
	if main := d.containerd.Main; main != "" {
		if _, err := os.Stat(n.at(path.Dir(main))); err != nil {
			return nil, fmt.Errorf("configure %s of %s: mount %s of the node at %s, to install "+
				"and to uninstall: %w",
				d.engine, d.name, path.Dir(main), n.at(path.Dir(main)), err)
		}
	}
	o := engines.Options{
		Root:       n.Host,
		Binary:     n.program(),
		Listener:   runDir + "/agent.sock",
		Remove:     remove,
		Containerd: d.containerd,
	}
	make := engines.Containerd
	if d.engine == CRIO {
		make = engines.CRIO
	}
	plan, err := make(o)
	if err != nil {
		return nil, fmt.Errorf("configure %s of %s: %w", d.engine, d.name, err)
	}
	return plan, nil
}

// nriSocket is where an engine waits for plugins.
const nriSocket = "/run/nri/nri.sock"

// checkNRI fails if no engine waits for plugins.
func (n Node) checkNRI() error {
	conn, err := net.DialTimeout("unix", n.at(nriSocket), 10*time.Second)
	if err != nil {
		return fmt.Errorf("the engine of this node has NRI not enabled, or is too old: %w. "+
			"containerd 2.2 and newer has it enabled, unless its configuration has disable = true "+
			`in [plugins."io.containerd.nri.v1.nri"]; CRI-O newer than 1.34, unless [crio.nri] `+
			"has enable_nri = false. Older engines get a runtime handler instead: "+
			"--engine containerd or --engine crio", err)
	}
	return conn.Close()
}
