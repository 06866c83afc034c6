package kernels

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// document has tables of the probes that do not hold on every kernel.
const document = repository + "/docs/kernels.md"

// named returns the kernels in a table's head, or in a list, such as bookworm/amd64.
var named = regexp.MustCompile(`[a-z-]+/[a-z0-9]+`).FindAllString

// TestEveryColumnIsTried shows that make test-kernels runs the kernels that the tables name.
func TestEveryColumnIsTried(t *testing.T) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	makefile, err := os.ReadFile(repository + "/Makefile")
	require.NoError(t, err)
	head := regexp.MustCompile(`(?m)^\| probe \|.*\d.*$`).FindString(string(text))
	tried := regexp.MustCompile(`(?m)^KERNELS \?=.*$`).FindString(string(makefile))
	require.Equal(t, named(head, -1), named(tried, -1))
}

// documented returns what the tables say of a kernel, such as bookworm/amd64: probe → the cells
// that are right. A probe that is in no table holds.
func documented(t *testing.T, kernel string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	said, column := map[string][]string{}, -1
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if cells[0] == "probe" {
			column = slices.IndexFunc(cells, func(cell string) bool {
				return cell == "every kernel" || slices.Contains(named(cell, -1), kernel)
			})
			require.Positive(t, column, "%s has no column %s", document, kernel)
		} else if column > 0 && strings.HasPrefix(line, "| `") {
			probe := strings.Trim(cells[0], "`")
			require.FileExists(t, repository+"/test/probes/testdata/"+probe+".c")
			said[probe] = strings.Split(cells[column], " or ")
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
