package engines

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// A containerdConfig is the configuration of containerd without what an earlier
// run wrote: the main file and the files that it imports, in the order in which
// containerd reads them, but not the drop-in of port-restricter.
type containerdConfig struct {
	version int64
	files   []containerdFile
}

type containerdFile struct {
	path     string
	shown    string // path, as errors name it
	text     []byte // nil if the file does not exist
	original []byte // text without the block and the import of an earlier run
	parsed   table  // original
}

func readContainerdConfig(o Options) (*containerdConfig, error) {
	config := &containerdConfig{}
	o.Containerd = o.Containerd.orUsual()
	pending := []string{o.Containerd.Main}
	dropIn, err := o.read(o.Containerd.DropIn)
	if err != nil {
		return nil, err
	}
	for len(pending) > 0 {
		path := pending[0]
		pending = pending[1:]
		isRead := func(f containerdFile) bool { return f.path == path }
		if slices.ContainsFunc(config.files, isRead) {
			continue
		}
		file := containerdFile{path: path, shown: o.shown(path)}
		if file.text, err = o.read(path); err != nil {
			return nil, err
		}
		if path == o.Containerd.DropIn && hasMarker(file.text) {
			continue
		}
		file.original = cutBlock(file.text)
		if path == o.Containerd.Main {
			file.original = cutImport(file.original, o.Containerd.DropIn)
		}
		if file.parsed, err = parseTable(file.shown, file.original); err != nil {
			return nil, err
		}
		config.files = append(config.files, file)
		imported, err := o.importedBy(file)
		if err != nil {
			return nil, err
		}
		pending = append(pending, imported...)
	}
	main := config.files[0]
	config.version, _ = main.parsed["version"].(int64)
	if len(main.parsed) == 0 {
		config.version = 2 // the file has no setting to which another version gives a meaning
	}
	if o.Containerd.Merged && hasMarker(dropIn) {
		for _, file := range config.files {
			runtimes := config.runtimeKeys(Handler)
			delete(subtable(file.parsed, runtimes[:len(runtimes)-1]...), Handler)
		}
	}
	return config, nil
}

// importedBy returns the paths that a file imports. It resolves them as containerd
// does: an entry with * is a pattern, and a relative path is relative to the
// directory of the file.
func (o Options) importedBy(file containerdFile) ([]string, error) {
	var found []string
	for _, path := range stringsIn(file.parsed["imports"]) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(file.path), path)
		}
		if !strings.Contains(path, "*") {
			found = append(found, filepath.Clean(path))
			continue
		}
		matches, err := filepath.Glob(filepath.Join(o.Root, path))
		if err != nil {
			return nil, fmt.Errorf("%s imports %q: %w", file.shown, path, err)
		}
		for _, match := range matches {
			inRoot := strings.TrimPrefix(match, filepath.Clean(o.Root))
			found = append(found, filepath.Join("/", inRoot))
		}
	}
	return found, nil
}

// criPlugin returns the name of the CRI plugin's section with the runtimes. Since
// containerd 2.0 the plugin has two sections.
func (c *containerdConfig) criPlugin() string {
	if c.version < 3 {
		return "io.containerd.grpc.v1.cri"
	}
	return "io.containerd.cri.v1.runtime"
}

// inForce returns the index of the file whose CRI section containerd 1.x uses: the
// last file that has one, or else the main file.
func (c *containerdConfig) inForce() int {
	for i := len(c.files) - 1; i > 0; i-- {
		if subtable(c.files[i].parsed, "plugins", c.criPlugin()) != nil {
			return i
		}
	}
	return 0
}

// criSection returns the CRI section in force.
func (c *containerdConfig) criSection() table {
	if c.version < 3 {
		return subtable(c.files[c.inForce()].parsed, "plugins", c.criPlugin())
	}
	var merged table
	for _, file := range c.files {
		merged = merge(merged, subtable(file.parsed, "plugins", c.criPlugin()))
	}
	return merged
}

// check fails for a configuration to which a handler can't be added, or in which
// the handler would have no effect.
func (c *containerdConfig) check() error {
	if c.version < 2 {
		return fmt.Errorf("%s has version = 1 or no version: use the full names of plugins, "+
			"as containerd config dump prints them, and put version = 2 at the top",
			c.files[0].shown)
	}
	for _, file := range c.files {
		for _, plugin := range stringsIn(file.parsed["disabled_plugins"]) {
			cri := []string{"cri", "io.containerd.grpc.v1.cri", c.criPlugin()}
			if slices.Contains(cri, plugin) {
				return fmt.Errorf("%s has %q in disabled_plugins, so containerd runs no pods: "+
					"remove the entry first; for Docker, run port-restricter configure docker",
					file.shown, plugin)
			}
		}
		if subtable(file.parsed, c.runtimeKeys(Handler)...) != nil {
			return foreignRuntime(file.shown, "containerd.runtimes."+Handler)
		}
	}
	return nil
}

// checkEdit makes sure that text adds the handler, and what the handler needs, to
// a file and changes nothing else: TOML has forms of a table to which a later
// header can't add anything.
func (c *containerdConfig) checkEdit(file containerdFile, text []byte) error {
	after, err := parseTable(file.shown, text)
	if err == nil {
		runtimes := subtable(after, "plugins", c.criPlugin(), "containerd", "runtimes")
		delete(runtimes, Handler)
		if version, ok := after["version"]; ok && file.parsed["version"] == nil {
			file.parsed = merge(file.parsed, table{"version": version})
		}
		want := merge(file.parsed, c.missingRunc())
		if !reflect.DeepEqual(withoutEmpty(after), withoutEmpty(want)) {
			err = errors.New("other settings would change")
		}
	}
	if err != nil {
		return fmt.Errorf("%s: the handler can't be added at the end of the file: %w; "+
			"write inline tables as [tables], then run this command again", file.shown, err)
	}
	return nil
}

// withoutEmpty returns a table without the empty tables in it.
func withoutEmpty(t table) table {
	pruned := table{}
	for key, value := range t {
		if deeper, ok := value.(table); ok {
			if deeper = withoutEmpty(deeper); len(deeper) == 0 {
				continue
			}
			value = deeper
		}
		pruned[key] = value
	}
	return pruned
}
