package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

// featuresLimit is how long a runtime may take to list its features.
const featuresLimit = 10 * time.Second

// ErrNoFeatures means that a runtime does not have the command `features`.
var ErrNoFeatures = errors.New("the OCI runtime lists no features")

// RuntimeFeatures returns what the OCI runtime says of itself by its command `features`. It
// fails with ErrNoFeatures for a runtime without the command, and for one that is not found, or
// whose answer is not JSON.
func RuntimeFeatures(runtime string) (*features.Features, error) {
	path, err := exec.LookPath(runtime)
	if err != nil {
		return nil, fmt.Errorf("find the OCI runtime: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), featuresLimit)
	defer cancel()
	text, err := exec.CommandContext(ctx, path, "features").Output()
	if err != nil {
		return nil, fmt.Errorf("%w: `%s features`: %w", ErrNoFeatures, path, err)
	}
	var answer features.Features
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("parse the output of `%s features`: %w", path, err)
	}
	return &answer, nil
}

// RuntimeFlags returns those flags of the filter that the OCI runtime supports, according
// to its command `features`. A runtime that does not have the command, or lists
// no flags, as runc 1.1, refuses every flag: RuntimeFlags then returns none, and no error.
// It fails for a runtime that is not found, or whose answer is not JSON.
func RuntimeFlags(runtime string) ([]specs.LinuxSeccompFlag, error) {
	answer, err := RuntimeFeatures(runtime)
	if errors.Is(err, ErrNoFeatures) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return flagsIn(answer), nil
}

// flagsIn returns those flags of the filter that a runtime with these features supports.
func flagsIn(answer *features.Features) []specs.LinuxSeccompFlag {
	const wanted = specs.LinuxSeccompFlagWaitKillableRecv
	if answer.Linux == nil || answer.Linux.Seccomp == nil ||
		!slices.Contains(answer.Linux.Seccomp.SupportedFlags, string(wanted)) {
		return nil
	}
	return []specs.LinuxSeccompFlag{wanted}
}
