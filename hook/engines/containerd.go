package engines

import (
	"fmt"
	"path/filepath"
	"slices"
)

const (
	containerdConf   = "/etc/containerd/config.toml"
	containerdDropIn = "/etc/containerd/conf.d/port-restricter.toml"
)

// Containerd gets a runtime handler. How depends on the version of its
// configuration, as measured with containerd 1.6.20 and 2.3.6:
//   - 2 (containerd 1.x, and read by 2.x): in 1.x an imported file that names the
//     CRI plugin replaces everything that other files say of it. So a block goes
//     into the very file whose section is in force.
//   - 3 and 4 (containerd 2.x): imported files are merged key by key. So a file of
//     our own, and an entry in imports unless a pattern there covers it.
func Containerd(o Options) (*Plan, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	plan := &Plan{Next: "systemctl restart containerd; then a RuntimeClass with handler: " + Handler + " puts pods under it"}
	if o.Remove {
		plan.Next = "systemctl restart containerd; delete RuntimeClasses with handler: " + Handler
	}
	conf, err := readContainerd(o)
	if err != nil {
		return nil, err
	}
	dropIn := ownFile{path: containerdDropIn, mode: 0o644, ours: marked}
	if o.Remove {
		return plan.removeContainerd(o, conf, dropIn)
	}
	if err := conf.check(); err != nil {
		return nil, err
	}
	handler, behind, err := conf.handler(o)
	if err != nil {
		return nil, err
	}
	if err := plan.write(o, runtimeFile(o, "containerd", behind)); err != nil {
		return nil, err
	}
	if conf.version < 3 {
		return plan.inBlock(o, conf, handler, dropIn)
	}
	dropIn.text = []byte(mark("containerd") + fmt.Sprintf("version = %d\n\n", conf.version) + handler)
	if err := plan.write(o, dropIn); err != nil {
		return nil, err
	}
	return plan, plan.inImports(o, conf)
}

// inBlock puts the handler into the file whose CRI section is in force. A file of
// ours from a time with another version would replace that section.
func (p *Plan) inBlock(o Options, conf *containerd, handler string, dropIn ownFile) (*Plan, error) {
	target := conf.files[conf.inForce()]
	for _, file := range conf.files {
		text := file.rest
		if file.path == target.path {
			switch {
			case text == nil:
				text = []byte(containerdHeader)
			case len(file.parsed) == 0:
				handler = "version = 2\n\n" + handler // the file has nothing but comments
			}
			text = keepBlock(cutImport(file.text, containerdDropIn), text, handler)
			if err := conf.sameBut(file, text); err != nil {
				return nil, err
			}
		}
		if err := p.edit(o, file.path, text, 0o644); err != nil {
			return nil, err
		}
	}
	o.Remove = true
	return p, p.write(o, dropIn)
}

// inImports has the main file import the drop-in.
func (p *Plan) inImports(o Options, conf *containerd) error {
	for i, file := range conf.files {
		text := file.rest
		if i == 0 && !conf.imports(containerdDropIn) {
			var err error
			if text, err = addImport(text, containerdDropIn); err != nil {
				return fmt.Errorf("edit %s: %w; add %q to its imports by hand", file.path, err, containerdDropIn)
			}
		}
		if err := p.edit(o, file.path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) removeContainerd(o Options, conf *containerd, dropIn ownFile) (*Plan, error) {
	if err := p.write(o, runtimeFile(o, "containerd", "")); err != nil {
		return nil, err
	}
	if err := p.write(o, dropIn); err != nil {
		return nil, err
	}
	for i, file := range conf.files {
		text := file.rest
		if i == 0 && slices.Contains(texts(file.parsed["imports"]), containerdDropIn) {
			return nil, fmt.Errorf("%s imports %q otherwise than port-restricter configure wrote it, and containerd would not start without that file: take it out of imports", file.path, containerdDropIn)
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

// containerdHeader begins a config.toml that wasn't there. Both containerd 1.x
// and 2.x read version 2; without the file, 2.x reads no drop-in either.
const containerdHeader = marker + "containerd, which found no configuration; --remove takes it away.\nversion = 2\n"

// imports says whether the main file has containerd read path.
func (c *containerd) imports(path string) bool {
	main := c.files[0]
	return slices.ContainsFunc(texts(main.parsed["imports"]), func(pattern string) bool {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(main.path), pattern)
		}
		covers, err := filepath.Match(filepath.Clean(pattern), path)
		return covers && err == nil
	})
}
