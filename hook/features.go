package hook

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

// featuresLimit is how long a runtime may take to list its features.
const featuresLimit = 10 * time.Second

// RuntimeFlags are those of the flags we want that the OCI runtime can set, by
// its `features` command. One without that command, or that lists none, as runc
// 1.1, refuses every flag.
func RuntimeFlags(runtime string) ([]specs.LinuxSeccompFlag, error) {
	path, err := exec.LookPath(runtime)
	if err != nil {
		return nil, fmt.Errorf("find the OCI runtime: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), featuresLimit)
	defer cancel()
	text, err := exec.CommandContext(ctx, path, "features").Output()
	if err != nil {
		return nil, nil
	}
	var said features.Features
	if err := json.Unmarshal(text, &said); err != nil {
		return nil, fmt.Errorf("read what `%s features` says: %w", path, err)
	}
	const wanted = specs.LinuxSeccompFlagWaitKillableRecv
	if said.Linux == nil || said.Linux.Seccomp == nil || !slices.Contains(said.Linux.Seccomp.SupportedFlags, string(wanted)) {
		return nil, nil
	}
	return []specs.LinuxSeccompFlag{wanted}, nil
}
