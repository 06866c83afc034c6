package engines

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// A table is a TOML table.
type table = map[string]any

func (o Options) readTable(path string) (table, error) {
	text, err := o.read(path)
	if err != nil {
		return nil, err
	}
	return parseTable(path, text)
}

func parseTable(path string, text []byte) (table, error) {
	parsed := table{}
	err := toml.Unmarshal(text, &parsed)
	if detail := (*toml.DecodeError)(nil); errors.As(err, &detail) {
		return nil, fmt.Errorf("read %s: no TOML:\n%s", path, detail)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return parsed, nil
}

// sub returns the table at the keys, nil for none.
func sub(t table, keys ...string) table {
	for _, key := range keys {
		t, _ = t[key].(table)
	}
	return t
}

// merge puts the keys of from over those of to, table by table.
func merge(to, from table) table {
	merged := maps.Clone(to)
	if merged == nil {
		merged = table{}
	}
	for key, value := range from {
		if deeper, ok := value.(table); ok {
			value = merge(sub(merged, key), deeper)
		}
		merged[key] = value
	}
	return merged
}

// texts returns the strings of an array, and not what else stands in it.
func texts(value any) []string {
	array, _ := value.([]any)
	var found []string
	for _, element := range array {
		if text, ok := element.(string); ok {
			found = append(found, text)
		}
	}
	return found
}

// render writes a table and those in it, without a header for those around it:
// they may have theirs in the file already, and TOML allows only one.
func render(t table, keys ...string) (string, error) {
	own := maps.Clone(t)
	maps.DeleteFunc(own, func(_ string, value any) bool { _, is := value.(table); return is })
	values, err := toml.Marshal(own)
	if err != nil {
		return "", err
	}
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = tomlKey(key)
	}
	text := "[" + strings.Join(names, ".") + "]\n" + string(values)
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if deeper, ok := t[key].(table); ok {
			more, err := render(deeper, append(slices.Clone(keys), key)...)
			if err != nil {
				return "", err
			}
			text += "\n" + more
		}
	}
	return text, nil
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func tomlKey(key string) string {
	if bareKey.MatchString(key) {
		return key
	}
	return strconv.Quote(key)
}

// list renders strings as an array of a line each.
func list(values []string) string {
	text := "[\n"
	for _, value := range values {
		text += "\t" + strconv.Quote(value) + ",\n"
	}
	return text + "]"
}
