package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A profileFile is a profile as the OCI runtime spec and the kubelet have it,
// with those fields of Docker's and Podman's that an engine resolves for each
// container, by its capabilities and the machine.
type profileFile struct {
	specs.LinuxSeccomp
	ArchMap      unresolved `json:"archMap"`
	DefaultErrno unresolved `json:"defaultErrno"`
	Syscalls     []struct {
		specs.LinuxSyscall
		Name     string     `json:"name"` // Docker's old form
		Comment  string     `json:"comment"`
		Errno    unresolved `json:"errno"`
		Includes unresolved `json:"includes"`
		Excludes unresolved `json:"excludes"`
	} `json:"syscalls"`
}

// unresolved is true for a field that says something.
type unresolved bool

func (u *unresolved) UnmarshalJSON(raw []byte) error {
	switch string(raw) {
	case "{}", "[]", "null", `""`:
	default:
		*u = true
	}
	return nil
}

var errUnresolved = errors.New("it is in Docker's or Podman's form (archMap, includes, excludes, errno), which depends on the container; " +
	"take linux.seccomp of the config.json of a container that runs with it: podman inspect -f '{{.OCIConfigPath}}' CONTAINER")

// ReadProfile reads a seccomp profile in the OCI runtime spec's form from a file.
func ReadProfile(path string) (*specs.LinuxSeccomp, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read seccomp profile: %w", err)
	}
	profile, err := parseProfile(raw)
	if err != nil {
		return nil, fmt.Errorf("read seccomp profile %s: %w", path, err)
	}
	return profile, nil
}

func parseProfile(raw []byte) (*specs.LinuxSeccomp, error) {
	var file profileFile
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the profile")
	}
	if file.ArchMap || file.DefaultErrno {
		return nil, errUnresolved
	}
	if file.DefaultAction == "" {
		return nil, errors.New("it has no defaultAction")
	}
	profile := file.LinuxSeccomp
	for i, entry := range file.Syscalls {
		if entry.Errno || entry.Includes || entry.Excludes {
			return nil, errUnresolved
		}
		if (entry.Name == "") == (len(entry.Names) == 0) {
			return nil, fmt.Errorf("rule %d needs names (or the old name, not both)", i)
		}
		if entry.Name != "" {
			entry.Names = []string{entry.Name}
		}
		profile.Syscalls = append(profile.Syscalls, entry.LinuxSyscall)
	}
	return &profile, nil
}

// Write writes p as a profile file.
func WriteProfile(w io.Writer, p *specs.LinuxSeccomp) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(p); err != nil {
		return fmt.Errorf("write seccomp profile: %w", err)
	}
	return nil
}
