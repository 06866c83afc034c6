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

// A profileFile is the content of a profile file: a profile in the form of the OCI
// runtime spec, which the kubelet uses, too, and the additional fields of Docker and
// Podman. From the fields of type unresolved an engine makes a profile for each
// container, depending on its capabilities and on the machine.
type profileFile struct {
	specs.LinuxSeccomp
	ArchMap      unresolved `json:"archMap"`
	DefaultErrno unresolved `json:"defaultErrno"`
	Syscalls     []struct {
		specs.LinuxSyscall
		Name     string     `json:"name"` // the old form of Docker
		Comment  string     `json:"comment"`
		Errno    unresolved `json:"errno"`
		Includes unresolved `json:"includes"`
		Excludes unresolved `json:"excludes"`
	} `json:"syscalls"`
}

// unresolved is true for a field that is there and not empty.
type unresolved bool

// UnmarshalJSON implements json.Unmarshaler.
func (u *unresolved) UnmarshalJSON(raw []byte) error {
	switch string(raw) {
	case "{}", "[]", "null", `""`:
	default:
		*u = true
	}
	return nil
}

var errUnresolved = errors.New("it is in the form of Docker or Podman " +
	"(archMap, includes, excludes, errno), which has another meaning for each container; " +
	"start a container with it, and use linux.seccomp from the config.json of the container: " +
	"podman inspect -f '{{.OCIConfigPath}}' CONTAINER prints the path")

// ReadProfile reads a file with a seccomp profile in the form of the OCI runtime spec
// (linux.seccomp in config-linux.md). It refuses a profile in the form of Docker or
// Podman that depends on the container, and any field that it does not know.
func ReadProfile(path string) (*specs.LinuxSeccomp, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read seccomp profile: %w", err)
	}
	return ParseProfile(path, raw)
}

// ParseProfile parses the text of a profile. Errors name it by name.
func ParseProfile(name string, raw []byte) (*specs.LinuxSeccomp, error) {
	profile, err := parseProfile(raw)
	if err != nil {
		return nil, fmt.Errorf("read seccomp profile %s: %w", name, err)
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
		return nil, errors.New("more text follows the profile")
	}
	if file.ArchMap || file.DefaultErrno {
		return nil, errUnresolved
	}
	if file.DefaultAction == "" {
		return nil, errors.New("defaultAction is missing")
	}
	profile := file.LinuxSeccomp
	for i, entry := range file.Syscalls {
		if entry.Errno || entry.Includes || entry.Excludes {
			return nil, errUnresolved
		}
		if (entry.Name == "") == (len(entry.Names) == 0) {
			return nil, fmt.Errorf("rule %d must have names or, in an old profile, name, "+
				"but not both", i)
		}
		if entry.Name != "" {
			entry.Names = []string{entry.Name}
		}
		profile.Syscalls = append(profile.Syscalls, entry.LinuxSyscall)
	}
	return &profile, nil
}

// WriteProfile writes a profile as indented JSON, in the form of the OCI runtime spec.
func WriteProfile(w io.Writer, p *specs.LinuxSeccomp) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(p); err != nil {
		return fmt.Errorf("write seccomp profile: %w", err)
	}
	return nil
}
