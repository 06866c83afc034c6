package learn

import (
	"fmt"
	"io"
	"strings"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/internal/lazyregexp"
)

// A Dialect is one way to write a policy down. In each of them a line that begins with # is a
// comment.
type Dialect struct {
	Name  string
	Title string // what the text is, and where it goes
	lines func(g *Group, t config.Texts) []string
}

// Dialects are all dialects, in the order in which they are printed.
var Dialects = []Dialect{
	{"flags", "a command", flags},
	{"systemd", "a service of systemd: writes its drop-in", systemd},
	{"annotation", "annotations of a container, whatever its engine", annotation},
	{"podman", "podman run, after port-restricter configure podman", podman},
	{"quadlet", "quadlet, the .container file of podman and systemd, after" +
		" port-restricter configure podman", quadlet},
	{"compose", "a service of compose", compose},
	{"pod", "Kubernetes: a pod, or in a Deployment what is under spec.template", pod},
	{"socketbind", "a service of systemd, without port-restricter", socketBind},
}

// Write writes a group in some dialects, with what was learned as comments. command is what was
// run, or "".
func (g *Group) Write(w io.Writer, dialects []Dialect, command string) error {
	t, err := g.Texts()
	if err != nil {
		return fmt.Errorf("%s: what was learned makes no policy: %w", g.title(command), err)
	}
	var text strings.Builder
	for _, line := range g.comments(command) {
		text.WriteString("# " + line + "\n")
	}
	for _, d := range dialects {
		text.WriteString("\n# " + d.Title + ":\n" + strings.Join(d.lines(g, t), "\n") + "\n")
	}
	_, err = io.WriteString(w, text.String())
	return err
}

// quote quotes a list of ports or mappings for a shell, if need be: it has nothing worse than
// brackets and asterisks.
func quote(list string) string {
	if strings.ContainsAny(list, "[]*") {
		return "'" + list + "'"
	}
	return list
}

func arguments(t config.Texts) string {
	text := "-p " + quote(t.Ports)
	if t.Map != "" {
		text += " --map " + quote(t.Map)
	}
	return text
}

func flags(_ *Group, t config.Texts) []string {
	return []string{"port-restricter " + arguments(t) + " -- CMD"}
}

func systemd(_ *Group, t config.Texts) []string {
	return []string{"port-restricter systemd UNIT " + arguments(t)}
}

// annotations returns the keys and the values that say what t says.
func annotations(t config.Texts, suffix string) [][2]string {
	list := [][2]string{{config.AnnotationPort + suffix, t.Ports}}
	if t.Map != "" {
		list = append(list, [2]string{config.AnnotationMap + suffix, t.Map})
	}
	return list
}

func annotation(_ *Group, t config.Texts) (lines []string) {
	for _, a := range annotations(t, "") {
		lines = append(lines, a[0]+"="+a[1])
	}
	return lines
}

func podman(_ *Group, t config.Texts) []string {
	line, before5 := "podman run", "podman run"
	for _, a := range annotations(t, "") {
		line += fmt.Sprintf(" --annotation '%s=%s'", a[0], a[1])
		before5 += fmt.Sprintf(` --annotation '"%s=%s"'`, a[0], a[1])
	}
	return withCommas(t, []string{line + " IMAGE"}, before5+" IMAGE")
}

func quadlet(_ *Group, t config.Texts) []string {
	lines := []string{"[Container]"}
	var before5 []string
	for _, a := range annotations(t, "") {
		lines = append(lines, fmt.Sprintf("Annotation=%s=%s", a[0], a[1]))
		before5 = append(before5, fmt.Sprintf(`Annotation='"%s=%s"'`, a[0], a[1]))
	}
	return withCommas(t, lines, before5...)
}

// withCommas adds what podman before 5.0 needs, which splits annotations at commas.
func withCommas(t config.Texts, lines []string, before5 ...string) []string {
	if !strings.Contains(t.Ports+t.Map, ",") {
		return lines
	}
	lines = append(lines, "# podman before 5.0 splits annotations at commas: with it, write")
	for _, line := range before5 {
		lines = append(lines, "# "+line)
	}
	return lines
}

// plainName matches names that are themselves in YAML and in the key of an annotation.
var plainName = lazyregexp.New(`^[A-Za-z]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)

func pod(g *Group, t config.Texts) []string {
	lines := []string{
		"# It counts on nodes with port-restricter's NRI plugin, or with runtimeClassName:" +
			" port-restricter in the spec.",
		"metadata:", "  annotations:",
	}
	suffix := ""
	if plainName().MatchString(g.Name) {
		suffix = "/" + g.Name
	} else {
		lines = append(lines, "    # For every container of the pod;"+
			" a key with /NAME at its end is for the container NAME.")
	}
	return append(lines, yamlMap("    ", annotations(t, suffix))...)
}

func compose(g *Group, t config.Texts) []string {
	service := "NAME"
	if plainName().MatchString(g.Name) {
		service = g.Name
	}
	lines := []string{
		"services:", fmt.Sprintf("  %q:", service),
		"    # For Docker, after port-restricter configure docker: without this runtime the" +
			" annotations count",
		"    # for nothing. With podman leave it out.",
		"    runtime: port-restricter",
		"    annotations:",
	}
	return append(lines, yamlMap("      ", annotations(t, ""))...)
}

// yamlMap returns the lines of a mapping. Neither keys nor values need an escape.
func yamlMap(indent string, entries [][2]string) (lines []string) {
	for _, e := range entries {
		lines = append(lines, fmt.Sprintf("%s%s: %q", indent, e[0], e[1]))
	}
	return lines
}

// socketBind returns SocketBindAllow=, systemd.resource-control(5), which can say less.
func socketBind(g *Group, t config.Texts) []string {
	lines := []string{"[Service]"}
	list, _ := g.elements()
	var rules []string
	addresses := false
	for _, e := range list {
		rule := fmt.Sprint(e.port)
		switch {
		case e.port == 0:
			lines = append(lines, fmt.Sprintf("# systemd has nothing like %s", e))
			continue
		case e.protocol == config.SCTP:
			lines = append(lines, fmt.Sprintf("# systemd knows tcp and udp only, not %s", e))
			continue
		case e.protocol != "":
			rule = string(e.protocol) + ":" + rule
		}
		switch {
		case e.addr.Is4():
			rule = "ipv4:" + rule
		case e.addr.Is6():
			rule = "ipv6:" + rule
		}
		addresses = addresses || e.addr.IsValid() && !e.addr.IsUnspecified()
		if rule = "SocketBindAllow=" + rule; len(rules) == 0 || rules[len(rules)-1] != rule {
			rules = append(rules, rule)
		}
	}
	if addresses {
		lines = append(lines, "# wider: systemd knows no address, and allows the port at every one")
	}
	if t.Map != "" {
		lines = append(lines, "# systemd maps no port: let the program ask for the other of "+t.Map)
	}
	lines = append(lines, "# narrower: a bind to port 0, as clients make it, is refused, too",
		"SocketBindDeny=any")
	return append(lines, rules...)
}
