package engines

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
)

const (
	containerdMainFile = "/etc/containerd/config.toml"
	containerdDropIn   = "/etc/containerd/conf.d/port-restricter.toml"
)

// Containerd returns the plan that gives containerd a runtime handler. Where it is
// written depends on the version of the configuration, as measured with containerd
// 1.6.20 and 2.3.6:
//   - 2 (containerd 1.x; 2.x reads it, too): in 1.x, an imported file that names
//     the CRI plugin replaces everything that other files say about the plugin. So
//     a block goes into the file whose CRI section is in force.
//   - 3 and 4 (containerd 2.x): imported files are merged key by key. So a drop-in
//     is written, and an entry in imports unless a pattern there matches the
//     drop-in.
func Containerd(o Options) (*Plan, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.Containerd = o.Containerd.orUsual()
	plan := &Plan{Next: "systemctl restart containerd; then annotate pods, " +
		"and give them a RuntimeClass with handler: " + Handler}
	if o.Remove {
		plan.Next = "systemctl restart containerd; delete RuntimeClasses with handler: " + Handler
	}
	config, err := readContainerdConfig(o)
	if err != nil {
		return nil, err
	}
	dropIn := ownFile{path: o.Containerd.DropIn, mode: 0o644, isOwn: hasMarker, isDropIn: true}
	if o.Remove {
		return plan.removeContainerd(o, config, dropIn)
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	handler, ociRuntime, err := config.renderHandler(o)
	if err != nil {
		return nil, err
	}
	plan.OCIRuntime = ociRuntime
	if err := plan.writeOwn(o, runtimeScript(o, "containerd", ociRuntime)); err != nil {
		return nil, err
	}
	if err := config.checkDropIn(o.Containerd); err != nil {
		return nil, err
	}
	if config.version < 3 && !o.Containerd.Generated {
		return plan.addContainerdBlock(o, config, handler, dropIn)
	}
	header := markerLine("containerd") + fmt.Sprintf("version = %d\n\n", config.version)
	dropIn.text = []byte(header + handler)
	if err := plan.writeOwn(o, dropIn); err != nil {
		return nil, err
	}
	if o.Containerd.Generated {
		return plan, nil
	}
	return plan, plan.addContainerdImport(o, config)
}

// checkDropIn fails if the drop-in would not be read, and nothing can be done about it.
func (c *containerdConfig) checkDropIn(files ContainerdFiles) error {
	if !files.Generated || files.Merged || c.version > 2 && c.imports(files.DropIn) {
		return nil
	}
	return fmt.Errorf("%s is written anew whenever containerd starts, and does not import %s: "+
		"use NRI, or a version whose containerd is 2.x and reads that directory",
		files.Main, files.DropIn)
}

// orUsual returns the places, with the usual ones for those that are not set.
func (f ContainerdFiles) orUsual() ContainerdFiles {
	f.Main = cmp.Or(f.Main, containerdMainFile)
	f.DropIn = cmp.Or(f.DropIn, containerdDropIn)
	return f
}

// addContainerdBlock plans a block with the handler in the file whose CRI section
// is in force. It plans to remove a drop-in, which would replace that section. The
// drop-in is there if the configuration had a later version in an earlier run.
func (p *Plan) addContainerdBlock(
	o Options, config *containerdConfig, handler string, dropIn ownFile,
) (*Plan, error) {
	target := config.files[config.inForce()]
	for _, file := range config.files {
		text := file.original
		if file.path == target.path {
			switch {
			case text == nil:
				text = []byte(containerdHeader)
			case len(file.parsed) == 0:
				handler = "version = 2\n\n" + handler // the file has nothing but comments
			}
			text = keepBlock(cutImport(file.text, o.Containerd.DropIn), text, handler)
			if err := config.checkEdit(file, text); err != nil {
				return nil, err
			}
		}
		if err := p.edit(o, file.path, text, 0o644); err != nil {
			return nil, err
		}
	}
	o.Remove = true
	return p, p.writeOwn(o, dropIn)
}

// addContainerdImport plans that the main file imports the drop-in, and that a
// block of an earlier run is removed.
func (p *Plan) addContainerdImport(o Options, config *containerdConfig) error {
	for i, file := range config.files {
		text := file.original
		if dropIn := o.Containerd.DropIn; i == 0 && !config.imports(dropIn) {
			var err error
			if text, err = addImport(text, dropIn); err != nil {
				return fmt.Errorf("edit %s: %w; add %q to its imports by hand, "+
					"then run this command again", file.shown, err, dropIn)
			}
		}
		if err := p.edit(o, file.path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeContainerd plans to remove everything that an earlier run wrote.
func (p *Plan) removeContainerd(
	o Options, config *containerdConfig, dropIn ownFile,
) (*Plan, error) {
	if err := p.writeOwn(o, runtimeScript(o, "containerd", "")); err != nil {
		return nil, err
	}
	if err := p.writeOwn(o, dropIn); err != nil {
		return nil, err
	}
	if o.Containerd.Generated {
		return p.finish(o), nil
	}
	for i, file := range config.files {
		text := file.original
		if i == 0 && slices.Contains(stringsIn(file.parsed["imports"]), o.Containerd.DropIn) {
			return nil, fmt.Errorf("%s imports %q, but not in the form that port-restricter "+
				"configure writes, and containerd does not start without a file that it imports: "+
				"remove the entry from imports, then run this command again",
				file.shown, o.Containerd.DropIn)
		}
		if string(text) == containerdHeader {
			text = nil
		}
		if err := p.edit(o, file.path, text, 0); err != nil {
			return nil, err
		}
	}
	return p.finish(o), nil
}

// containerdHeader is the top of a config.toml that did not exist before. It has
// version 2, which both containerd 1.x and 2.x read. The file is made for 2.x, too,
// which without a config.toml reads no drop-in either.
//
// The text must not change: by it, removeContainerd recognizes a file to delete.
const containerdHeader = marker +
	"containerd, which found no configuration; --remove takes it away.\nversion = 2\n"

// imports reports whether the main file makes containerd read path.
func (c *containerdConfig) imports(path string) bool {
	main := c.files[0]
	return slices.ContainsFunc(stringsIn(main.parsed["imports"]), func(pattern string) bool {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(main.path), pattern)
		}
		covers, err := filepath.Match(filepath.Clean(pattern), path)
		return covers && err == nil
	})
}
