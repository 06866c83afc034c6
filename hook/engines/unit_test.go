package engines

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each refusal names the file or the setting, what is wrong with it and what to do, and
// nothing is written.
func TestUnitsThatCannotBeWrapped(t *testing.T) {
	const own = "/etc/systemd/system/web.service.d/port-restricter.conf"
	for name, c := range map[string]struct {
		exec, path, text, binary string
		flags, says              []string
	}{
		"another name": {
			exec: "-@/bin/a b", says: []string{"ExecStart=-@/bin/a b", `"@"`, "write it without"},
		},
		"a shell":         {exec: "|a", says: []string{`"|"`, "sh -c"}},
		"several":         {exec: "/bin/a ; /bin/b", says: []string{`";"`, "= of its own"}},
		"quotes":          {exec: `"/bin/a"`, says: []string{"/system/web.service", "quotes"}},
		"prefix in them":  {exec: `'-/bin/a' b`, says: []string{"quotes"}},
		"a variable":      {exec: `${PROGRAM} b`, says: []string{"variables"}},
		"under us":        {exec: "/opt/port-restricter -p 1 -- a", says: []string{"already"}},
		"no command":      {exec: " ", says: []string{"web.service has no ExecStart="}},
		"nothing but '-'": {exec: "-", says: []string{"names no program"}},
		"applied later": {
			path: "/etc/systemd/system/web.service.d/zz.conf",
			text: "[Service]\nExecStart=\nExecStart=/bin/b\n",
			says: []string{"zz.conf", "before in the alphabet"},
		},
		"its type is applied later": {
			path: "/etc/systemd/system/web.service.d/zz.conf",
			text: "[Service]\nType=forking\n",
			says: []string{"zz.conf has Type=", "before in the alphabet"},
		},
		"a foreign drop-in": {
			path: own, text: "[Service]\n", says: []string{own, "move it away"},
		},
		"a binary with a blank": {
			binary: "/my programs/port-restricter", says: []string{`"/my programs/`, "/usr/bin"},
		},
		"ports with a blank": {flags: []string{"-p", "1, 2"}, says: []string{`"1, 2"`, "blanks"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if c.exec == "" {
				c.exec = "/bin/a"
			}
			put(t, root, "/lib/systemd/system/web.service", "[Service]\nExecStart="+c.exec+"\n")
			if c.path != "" {
				put(t, root, c.path, c.text)
			}
			o := optionsIn(root)
			u := unitIn(o)
			if c.binary != "" {
				o.Binary = c.binary
			}
			if c.flags != nil {
				u.Flags = c.flags
			}
			before := filesIn(t, root)
			_, err := Service(o, u)
			require.Error(t, err)
			for _, text := range c.says {
				require.Contains(t, err.Error(), text)
			}
			require.NotContains(t, err.Error(), "\n")
			require.Equal(t, before, filesIn(t, root))
		})
	}
}

func TestADropInThatIsNotOursStays(t *testing.T) {
	root := t.TempDir()
	put(t, root, "/lib/systemd/system/web.service", "[Service]\nExecStart=/bin/a\n")
	put(t, root, "/etc/systemd/system/web.service.d/port-restricter.conf", "[Service]\n")
	o := optionsIn(root)
	o.Remove = true
	require.Empty(t, plan(t, planners["systemd"], o).Changes)
}

// A package may be removed before its drop-in.
func TestTheDropInOfAUnitThatIsGoneCanBeRemoved(t *testing.T) {
	root := t.TempDir()
	put(t, root, "/lib/systemd/system/web.service", "[Service]\nExecStart=/bin/a\n")
	o := optionsIn(root)
	apply(t, plan(t, planners["systemd"], o))
	o.Remove = true
	planned, err := Service(o, Unit{Name: "web.service"})
	require.NoError(t, err)
	apply(t, planned)
	for path := range filesIn(t, root) {
		require.False(t, strings.HasPrefix(path, "/etc"), path)
	}
}
