package node

import (
	"encoding/json"

	"github.com/port-restricter/port-restricter/cmd/internal/check"
)

// failures returns what fails in the output of `port-restricter check --json`. Containers that were
// started before do not count: they can only be started again.
func failures(text string) (failed []string, err error) {
	var report struct{ Results []check.Result }
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		return nil, err
	}
	for _, r := range report.Results {
		if r.Status != check.Fail || r.Name == "containers" {
			continue
		}
		said := r.Name + ": " + r.Text
		if r.Mend != "" {
			said += " (" + r.Mend + ")"
		}
		failed = append(failed, said)
	}
	return failed, nil
}
