package engines

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// containerd is its configuration: the main file and, in the order they are read,
// those it imports, but our own.
type containerd struct {
	version int64
	files   []containerdFile
}

type containerdFile struct {
	path   string
	text   []byte // nil for none
	rest   []byte // without our block and import
	parsed table  // the rest
}

func readContainerd(o Options) (*containerd, error) {
	conf := &containerd{}
	pending := []string{containerdConf}
	for len(pending) > 0 {
		path := pending[0]
		pending = pending[1:]
		if slices.ContainsFunc(conf.files, func(f containerdFile) bool { return f.path == path }) {
			continue
		}
		file := containerdFile{path: path}
		var err error
		if file.text, err = o.read(path); err != nil {
			return nil, err
		}
		if path == containerdDropIn && marked(file.text) {
			continue
		}
		file.rest = cutBlock(file.text)
		if path == containerdConf {
			file.rest = cutImport(file.rest, containerdDropIn)
		}
		if file.parsed, err = parseTable(path, file.rest); err != nil {
			return nil, err
		}
		conf.files = append(conf.files, file)
		imported, err := o.imported(file)
		if err != nil {
			return nil, err
		}
		pending = append(pending, imported...)
	}
	main := conf.files[0]
	conf.version, _ = main.parsed["version"].(int64)
	if len(main.parsed) == 0 {
		conf.version = 2 // nothing in it that another version would read otherwise
	}
	return conf, nil
}

// imported resolves imports as containerd does: * is a pattern, and relative
// paths begin at the file.
func (o Options) imported(file containerdFile) ([]string, error) {
	var found []string
	for _, path := range texts(file.parsed["imports"]) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(file.path), path)
		}
		if !strings.Contains(path, "*") {
			found = append(found, filepath.Clean(path))
			continue
		}
		matches, err := filepath.Glob(filepath.Join(o.Root, path))
		if err != nil {
			return nil, fmt.Errorf("%s imports %q: %w", file.path, path, err)
		}
		for _, match := range matches {
			found = append(found, filepath.Join("/", strings.TrimPrefix(match, filepath.Clean(o.Root))))
		}
	}
	return found, nil
}

// criPlugin names the plugin's section. Since containerd 2.0 it is two.
func (c *containerd) criPlugin() string {
	if c.version < 3 {
		return "io.containerd.grpc.v1.cri"
	}
	return "io.containerd.cri.v1.runtime"
}

// inForce is the file whose CRI section containerd 1.x takes: the last one with
// any, else the main file.
func (c *containerd) inForce() int {
	for i := len(c.files) - 1; i > 0; i-- {
		if sub(c.files[i].parsed, "plugins", c.criPlugin()) != nil {
			return i
		}
	}
	return 0
}

// cri is the CRI section in force.
func (c *containerd) cri() table {
	if c.version < 3 {
		return sub(c.files[c.inForce()].parsed, "plugins", c.criPlugin())
	}
	var merged table
	for _, file := range c.files {
		merged = merge(merged, sub(file.parsed, "plugins", c.criPlugin()))
	}
	return merged
}

// check refuses a configuration that a handler can't be added to, or would be of
// no use in.
func (c *containerd) check() error {
	if c.version < 2 {
		return fmt.Errorf("%s is of version 1, or says none: name plugins by their full names, as containerd config dump does, and put version = 2 at its top", containerdConf)
	}
	for _, file := range c.files {
		for _, plugin := range texts(file.parsed["disabled_plugins"]) {
			if slices.Contains([]string{"cri", "io.containerd.grpc.v1.cri", c.criPlugin()}, plugin) {
				return fmt.Errorf("%s has %q in disabled_plugins, and so no pods: take it out first; for Docker, use port-restricter configure docker", file.path, plugin)
			}
		}
		if sub(file.parsed, "plugins", c.criPlugin(), "containerd", "runtimes", Handler) != nil {
			return foreignRuntime(file.path, "containerd.runtimes."+Handler)
		}
	}
	return nil
}

func foreignRuntime(file, name string) error {
	return fmt.Errorf("%s has %s, which is not from port-restricter configure: take it out, then run this again", file, name)
}

// sameBut makes sure that an edit added our handler, or what it needs, and
// nothing else: TOML knows forms of a table that a later header can't add to.
func (c *containerd) sameBut(file containerdFile, text []byte) error {
	after, err := parseTable(file.path, text)
	if err == nil {
		runtimes := sub(after, "plugins", c.criPlugin(), "containerd", "runtimes")
		delete(runtimes, Handler)
		if version, said := after["version"]; said && file.parsed["version"] == nil {
			file.parsed = merge(file.parsed, table{"version": version})
		}
		if !reflect.DeepEqual(prune(after), prune(merge(file.parsed, c.missing()))) {
			err = errors.New("something else would change")
		}
	}
	if err != nil {
		return fmt.Errorf("%s: the handler can't be added behind what is there: %w; write inline tables as [tables]", file.path, err)
	}
	return nil
}

// prune takes empty tables out.
func prune(t table) table {
	pruned := table{}
	for key, value := range t {
		if deeper, ok := value.(table); ok {
			if deeper = prune(deeper); len(deeper) == 0 {
				continue
			}
			value = deeper
		}
		pruned[key] = value
	}
	return pruned
}
