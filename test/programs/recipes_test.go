package programs

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A recipe is the console of one section of docs/recipes.md.
type recipe struct {
	name  string
	steps []step
}

// A step is a command and the lines that it prints, among others.
type step struct {
	user       string
	command    string
	background bool
	prints     []string
}

// TestRecipes runs every command in docs/recipes.md. Each must print what it prints there, and
// succeed if it prints nothing there.
func TestRecipes(t *testing.T) {
	for _, r := range readRecipes(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "nobody", "")
			require.NoError(t, os.CopyFS(p.dir, os.DirFS(testdata("recipes"))))
			for _, s := range r.steps {
				s.run(p.as(s.user))
			}
		})
	}
}

var section = regexp.MustCompile("(?ms)^## ([^\n]*)\n(.*?)^```console\n(.*?)^```\n")

func readRecipes(t *testing.T) (recipes []recipe) {
	t.Helper()
	page, err := os.ReadFile("../../docs/recipes.md")
	require.NoError(t, err)
	for _, found := range section.FindAllStringSubmatch(string(page), -1) {
		require.NotContains(t, found[2], "\n## ", "a section without a console")
		r := recipe{name: found[1]}
		console := strings.ReplaceAll(found[3], "\\\n", "")
		for line := range strings.Lines(console) {
			line = strings.TrimSuffix(line, "\n")
			if user, command, ok := prompt(line); ok {
				command, background := strings.CutSuffix(command, " &")
				r.steps = append(r.steps, step{user, command, background, nil})
				continue
			}
			last := &r.steps[len(r.steps)-1]
			last.prints = append(last.prints, line)
		}
		recipes = append(recipes, r)
	}
	require.Equal(t, strings.Count(string(page), "\n```console\n"), len(recipes))
	return recipes
}

// prompt returns the user and the command of a line that begins with a prompt.
func prompt(line string) (user, command string, ok bool) {
	if command, ok := strings.CutPrefix(line, "$ "); ok {
		return "nobody", command, true
	}
	command, ok = strings.CutPrefix(line, "# ")
	return "root", command, ok
}

// run runs the step. A command in the foreground is repeated until it prints what it should,
// since servers in the background need time to start.
func (s step) run(p *place) {
	p.Helper()
	var background *process
	if s.background {
		background = p.start("sh", "-c", s.command)
	}
	output := ""
	p.await(func() error {
		var err error
		if background == nil {
			output, err = p.try("sh", "-c", s.command)
		} else {
			output = background.output()
		}
		if len(s.prints) == 0 {
			return err
		}
		for _, line := range s.prints {
			if !strings.Contains(output, line) {
				return errors.Join(fmt.Errorf("%s does not print %q", s.command, line), err)
			}
		}
		return nil
	}, func() string { return output })
}
