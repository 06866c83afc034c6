package check

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/port-restricter/port-restricter/config/inquiry"
)

// A Status is how a look ended.
type Status string

// The statuses. Only Fail makes the check fail.
const (
	OK   Status = "ok"
	Warn Status = "warn" // it works, and less well than it could
	Fail Status = "fail" // something that was asked for does not work
	Skip Status = "skip" // there is nothing to look at
)

// A Result is what one look found: a line for a reader, or an object for a program.
type Result struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Text   string `json:"text"`
	Mend   string `json:"mend,omitempty"`
}

func ok(name, format string, args ...any) Result {
	return Result{Name: name, Status: OK, Text: fmt.Sprintf(format, args...)}
}

func skip(name, format string, args ...any) Result {
	return Result{Name: name, Status: Skip, Text: fmt.Sprintf(format, args...)}
}

func warn(name, mend, format string, args ...any) Result {
	return Result{Name: name, Status: Warn, Text: fmt.Sprintf(format, args...), Mend: mend}
}

func fail(name, mend, format string, args ...any) Result {
	return Result{Name: name, Status: Fail, Text: fmt.Sprintf(format, args...), Mend: mend}
}

// Failed reports whether something that was asked for does not work.
func Failed(results []Result) bool {
	return slices.ContainsFunc(results, func(r Result) bool { return r.Status == Fail })
}

// Print prints a line for each result. What containers, engines and other users chose is in the
// texts, so they are made printable.
func Print(out io.Writer, results []Result) {
	width := 0
	for _, r := range results {
		width = max(width, len(r.Name))
	}
	for _, r := range results {
		text := r.Text
		if r.Mend != "" {
			text += "; " + r.Mend
		}
		fmt.Fprintf(out, "%-4s  %-*s  %s\n", r.Status, width, r.Name, inquiry.Printable(text))
	}
}

// PrintJSON prints the results as one object.
func PrintJSON(out io.Writer, results []Result) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		OK      bool     `json:"ok"`
		Results []Result `json:"results"`
	}{!Failed(results), results})
}
