package listening

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/port-restricter/port-restricter/agent/target"
)

// A process is one of /proc.
type process struct {
	pid, parent int
	name        string
}

func (p process) path(name string) string { return fmt.Sprintf("/proc/%d/%s", p.pid, name) }

// processesOf returns the processes of a container: its roots, their descendants, and those that
// are in the cgroup of a root. The last are needed where the first process of the pid namespace is
// not the container's: a daemon becomes a child of that process.
func processesOf(roots []Root) ([]process, error) {
	all, children, err := list()
	if err != nil {
		return nil, err
	}
	found := map[int]process{}
	var add func(pid int)
	add = func(pid int) {
		p, exists := all[pid]
		if _, has := found[pid]; has || !exists {
			return
		}
		found[pid] = p
		for _, child := range children[pid] {
			add(child)
		}
	}
	var groups []member
	own := cgroupsOf("self")
	for _, root := range roots {
		// The number of a root that has ended may be that of another process by now.
		if !target.IsAtHome(root.PID, root.Home) {
			continue
		}
		add(root.PID)
		if group := cgroupsOf(strconv.Itoa(root.PID)).without(own); len(group) > 0 {
			groups = append(groups, member{root.Home, group})
		}
	}
	for pid := range all {
		if _, has := found[pid]; !has && len(groups) > 0 && isMember(pid, groups) {
			add(pid)
		}
	}
	var result []process
	for _, p := range found {
		result = append(result, p)
	}
	slices.SortFunc(result, func(a, b process) int { return cmp.Compare(a.pid, b.pid) })
	return result, nil
}

// list returns all processes, and the children of each.
func list() (all map[int]process, children map[int][]int, err error) {
	directory, err := os.Open("/proc")
	if err != nil {
		return nil, nil, err
	}
	defer directory.Close()
	names, err := directory.Readdirnames(-1)
	if err != nil {
		return nil, nil, err
	}
	all, children = map[int]process{}, map[int][]int{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended
		}
		if p, ok := parseStat(string(text)); ok {
			all[pid] = process{pid, p.parent, p.name}
			children[p.parent] = append(children[p.parent], pid)
		}
	}
	return all, children, nil
}

// parseStat parses the begin of /proc/PID/stat: PID (NAME) STATE PARENT. The process chooses NAME.
func parseStat(text string) (p process, ok bool) {
	begin, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return p, false
	}
	words := strings.Fields(text[end+1:])
	if len(words) < 2 {
		return p, false
	}
	parent, err := strconv.Atoi(words[1])
	return process{parent: parent, name: text[begin+1 : end]}, err == nil
}

// A member is what the members of a container have in common.
type member struct {
	home    int // Root.Home
	cgroups cgroups
}

// isMember reports whether a process belongs to a container. Containers may share a cgroup, also
// with processes that are in no container.
func isMember(pid int, groups []member) bool {
	its := cgroupsOf(strconv.Itoa(pid))
	return slices.ContainsFunc(groups, func(m member) bool {
		return its.below(m.cgroups) && target.IsAtHome(pid, m.home) && target.HasFilter(pid)
	})
}

// cgroups are the paths of a process in each hierarchy of cgroups.
type cgroups map[string]string

// cgroupsOf reads /proc/PID/cgroup, cgroups(7).
func cgroupsOf(pid string) cgroups {
	text, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return nil
	}
	paths := cgroups{}
	for line := range strings.Lines(string(text)) {
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(words) == 3 {
			paths[words[0]] = words[2]
		}
	}
	return paths
}

// without returns the paths that tell a container from the agent.
func (c cgroups) without(agent cgroups) cgroups {
	own := cgroups{}
	for hierarchy, path := range c {
		if !isBelow(agent[hierarchy], path) {
			own[hierarchy] = path
		}
	}
	return own
}

// below reports whether each path is that of a container, or below it.
func (c cgroups) below(container cgroups) bool {
	for hierarchy, path := range container {
		if !isBelow(c[hierarchy], path) {
			return false
		}
	}
	return true
}

func isBelow(path, top string) bool {
	top = strings.TrimSuffix(top, "/")
	return path == top || strings.HasPrefix(path, top+"/")
}
