package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/internal/lazyregexp"
)

// Podman writes a container's name into no config.json, but into the store of its containers,
// before the container starts. The paths in a config.json lead there. An image can choose none of
// them: its files are below the root directory, and the sources of its volumes are elsewhere.
var (
	// ownFiles matches the source of a mount that podman makes for one container: a directory, the
	// part of the store that has containers, the id.
	ownFiles = lazyregexp.New(`^(/.*)/([a-z0-9]+-containers)/([0-9a-f]{64})/userdata/`)

	ownMounts = []string{"/run/.containerenv", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}

	// podID matches the end of a cgroup's path that has a pod's id and a container's.
	podID = lazyregexp.New(`([0-9a-f]{64})(?:\.slice:libpod:|/libpod-)[0-9a-f]{64}$`)
)

// stored is a container in the store.
type stored struct {
	ID    string   `json:"id"`
	Names []string `json:"names"`

	dir string // of the file that has it
}

// podmanPaths returns from the mounts of a container which podman has made the run directory of its
// store, the part of the store that has containers, and the container's id.
func podmanPaths(spec *specs.Spec) (run, part, id string, err error) {
	for _, m := range spec.Mounts {
		found := ownFiles().FindStringSubmatch(m.Source)
		if found == nil || !slices.Contains(ownMounts, m.Destination) {
			continue
		}
		if id != "" && id != found[3] {
			return "", "", "", fmt.Errorf("its mounts belong to two containers, %s and %s",
				id, found[3])
		}
		run, part, id = found[1], found[2], found[3]
	}
	if id == "" {
		return "", "", "", errNotPodman
	}
	return run, part, id, nil
}

var (
	errNotPodman = errors.New("podman did not make it")

	// Podman leaves out its mount where an image has a volume, and an image can have one at each
	// place in ownMounts. Without a name the container would escape what is for that name.
	errHidden = errors.New("its annotations are podman's, and its mounts are not: an image, or an" +
		" option, has volumes at " + strings.Join(ownMounts, ", "))
)

// podmanNames returns how podman names the container of a spec. id is the container's id by its
// cgroup, or "" if it has none.
func podmanNames(spec *specs.Spec, id string) (config.PodmanNames, error) {
	run, part, own, err := podmanPaths(spec)
	if err == nil && (id != "" && id != own || spec.Root == nil) {
		err = errNotPodman
	}
	if errors.Is(err, errNotPodman) && config.HasMarkOfPodman(spec.Annotations) {
		err = errHidden
	}
	if err != nil {
		return config.PodmanNames{}, err
	}
	all, err := readStore(part, storeDirs(spec, run))
	if err != nil {
		return config.PodmanNames{}, err
	}
	var names config.PodmanNames
	for _, c := range all {
		names.All = append(names.All, c.Names...)
		if c.ID == own && len(c.Names) == 1 && names.Container == "" {
			names.Container = c.Names[0]
		}
	}
	if names.Container == "" {
		return config.PodmanNames{}, fmt.Errorf("podman's store, in a directory above %s, has no"+
			" name of container %s", spec.Root.Path, own)
	}
	if prefix := podHostname(spec, all) + "-"; strings.HasPrefix(names.Container, prefix) {
		names.Prefix = prefix
	}
	return names, nil
}

// storeDirs returns the directories in which podman's store may be: one above the root directory
// of its containers, or, if the root directory is elsewhere (--rootfs), the one that has /dev/shm.
// Containers that do not outlast a boot can be in the run directory.
func storeDirs(spec *specs.Spec, run string) []string {
	dirs := []string{run}
	for above := filepath.Clean(spec.Root.Path); above != "/" && above != "."; {
		above = filepath.Dir(above)
		dirs = append(dirs, above)
	}
	for _, m := range spec.Mounts {
		found := ownFiles().FindStringSubmatch(m.Source)
		if found != nil && m.Destination == "/dev/shm" && !slices.Contains(dirs, found[1]) {
			dirs = append(dirs, found[1])
		}
	}
	return dirs
}

// readStore returns the containers of podman's store.
func readStore(part string, dirs []string) (all []stored, err error) {
	for _, above := range dirs {
		for _, name := range []string{"containers.json", "volatile-containers.json"} {
			some, err := readStored(filepath.Join(above, part, name))
			if err != nil {
				return nil, fmt.Errorf("read podman's store: %w", err)
			}
			all = append(all, some...)
		}
	}
	return all, nil
}

// readStored reads a file of the store, which need not exist.
func readStored(path string) (all []stored, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil // the container's own must be in one that can be read
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if owner != 0 && owner != uint32(os.Geteuid()) {
		return nil, fmt.Errorf("%s belongs to user %d", path, owner)
	}
	if err := json.NewDecoder(file).Decode(&all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range all {
		all[i].dir = filepath.Dir(path)
	}
	return all, nil
}

// podHostname returns the host name of the container's pod, or "" if that is unknown. It is the
// name of the pod, unless the pod's author chose another one.
func podHostname(spec *specs.Spec, all []stored) string {
	if spec.Linux == nil {
		return ""
	}
	pod := podID().FindStringSubmatch(spec.Linux.CgroupsPath)
	if pod == nil {
		return ""
	}
	// Not from the container's own /etc/hostname, which its processes can write.
	for _, c := range all {
		if !slices.Contains(c.Names, pod[1][:12]+"-infra") {
			continue
		}
		var infra specs.Spec
		text, err := os.ReadFile(filepath.Join(c.dir, c.ID, "userdata", "config.json"))
		if err == nil && json.Unmarshal(text, &infra) == nil {
			return infra.Hostname
		}
	}
	return ""
}
