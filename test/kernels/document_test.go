package kernels

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// document has a table of the probes that do not hold on every kernel.
const document = repository + "/docs/kernels.md"

// documented returns what the table says of a kernel, such as bookworm/amd64: probe → the cells
// that are right. A probe that is not in the table holds.
func documented(t *testing.T, kernel string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	said, column := map[string][]string{}, -1
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if cells[0] == "probe" {
			column = slices.IndexFunc(cells, func(cell string) bool {
				return strings.HasSuffix(cell, kernel)
			})
			require.Positive(t, column, "%s has no column %s", document, kernel)
		} else if column > 0 && strings.HasPrefix(line, "| `") {
			said[strings.Trim(cells[0], "`")] = strings.Split(cells[column], " or ")
		}
	}
	require.NotEmpty(t, said)
	return said
}

// cell returns the table's cell for the results of a probe: how it ended under the command line,
// as root and as a user, and in a container.
func (g guest) cell(probe string) string {
	words := map[string]bool{}
	var cell []string
	for _, way := range []string{"cli-root", "cli-user", "runc"} {
		if how, ran := g.results[probe][way]; ran {
			words[how.Word] = true
			cell = append(cell, way+" "+how.Word)
		}
	}
	if len(words) == 1 {
		for word := range words {
			return word
		}
	}
	return strings.Join(cell, ", ")
}

// checkDocumented checks that each probe ended as docs/kernels.md says.
func (g guest) checkDocumented(t *testing.T, kernel string) {
	t.Helper()
	said := documented(t, kernel)
	var wrong []string
	for probe := range g.results {
		want, ok := said[probe]
		if !ok {
			want = []string{"holds"}
		}
		if got := g.cell(probe); !slices.Contains(want, got) && want[0] != "varies" {
			wrong = append(wrong, probe+": "+got+", not "+strings.Join(want, " or "))
		}
	}
	slices.Sort(wrong)
	assert.Empty(t, wrong, "%s says otherwise of %s", document, kernel)
}
