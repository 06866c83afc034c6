package settings

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/internal/lazyregexp"
)

// sizeLimit bounds the file in bytes.
const sizeLimit = 1 << 20

// keysText is for the error that an unknown key is.
const keysText = "the keys are listener, metadata, runtime, and in each [[rule]] namespace, pod," +
	" container, allow, default, audit"

// Read reads a file of settings, without the environment. Its errors name the file, and the line
// where there is one. If the file is TOML and only a value makes no sense, the settings come with
// the error, without rules.
func Read(path string) (Settings, error) {
	text, err := readFile(path)
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", err)
	}
	var file struct {
		Settings
		Rules []config.RuleText `toml:"rule"`
	}
	places, err := placesIn(path, text)
	if err == nil {
		err = toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&file)
	}
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", explain(path, err))
	}
	s := file.Settings
	s.Origins = map[string]string{}
	for key := range variables {
		if place, has := places[key]; has {
			s.Origins[key] = place
		}
	}
	for i := range file.Rules {
		file.Rules[i].At = placesOfRule(places, i)
	}
	if err = s.Check(); err != nil {
		return s, fmt.Errorf("read settings: %w", err)
	}
	rules, err := config.ParseRules(file.Rules)
	if err != nil {
		return s, fmt.Errorf("read settings: %w", err)
	}
	s.Rules = rules
	return s, nil
}

// explain returns an error of package toml with the file and the line.
func explain(path string, err error) error {
	var detail *toml.DecodeError
	if strict := (*toml.StrictMissingError)(nil); errors.As(err, &strict) {
		detail = &strict.Errors[0]
		line, _ := detail.Position()
		key := detail.Key()
		mend := keysText
		if _, known := variables[key[len(key)-1]]; known {
			mend = "write it before the first [[rule]]"
		}
		return fmt.Errorf("%s:%d: unknown key %q: %s", path, line, strings.Join(key, "."), mend)
	}
	if !errors.As(err, &detail) {
		return err
	}
	line, _ := detail.Position()
	if found := wrongType().FindStringSubmatch(detail.Error()); found != nil {
		return fmt.Errorf("%s:%d: %s has a value of another type: write %s", path, line,
			strings.Join(detail.Key(), "."),
			cmp.Or(example[found[1]], "[[rule]], and its keys below"))
	}
	return fmt.Errorf("%s:%d: %s\n%s", path, line,
		strings.TrimPrefix(detail.Error(), "toml: "), detail.String())
}

// wrongType matches what package toml says of a value that is of another type than its key takes.
var wrongType = lazyregexp.New(`cannot (?:decode|store) .* of type \*?(\S+)$`)

// example has values of the types that keys take.
var example = map[string]string{"string": `a text in quotes, as in "8000"`, "bool": "true or false"}

// readFile returns the content of a file that is not too large.
func readFile(path string) ([]byte, error) {
	// Not to wait for the other end of a FIFO.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: user %d must be able to read it: chmod a+r", err, os.Geteuid())
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, sizeLimit+1))
	if err == nil && len(text) > sizeLimit {
		err = fmt.Errorf("%s has more than %d bytes", path, sizeLimit)
	}
	return text, err
}
