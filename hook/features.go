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

// RuntimeFlags returns those flags of the filter that the OCI runtime supports, according
// to its command `features`. A runtime that does not have the command, or lists
// no flags, as runc 1.1, refuses every flag: RuntimeFlags then returns none, and no error.
// It fails for a runtime that is not found, or whose answer is not JSON.
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
	var answer features.Features
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("parse the output of `%s features`: %w", path, err)
	}
	const wanted = specs.LinuxSeccompFlagWaitKillableRecv
	if answer.Linux == nil || answer.Linux.Seccomp == nil ||
		!slices.Contains(answer.Linux.Seccomp.SupportedFlags, string(wanted)) {
		return nil, nil
	}
	return []specs.LinuxSeccompFlag{wanted}, nil
}
